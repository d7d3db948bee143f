#include <fmt/format.h>

#include <cmath>

#include "differential/draw_layers.h"

// Layers in the forms that the rules look for.

namespace fusekit::test {
namespace {

/// The layer with a BatchNorm that may be folded and an activation, both by chance, from x to `to`.
void block(Drawer& d, const LayerSettings& layer, const std::string& to = "x") {
  add_layer(d, layer, "x", to);
  if (d.chance(2)) d.may_fold(add_batch_norm(d, layer.out, to, to));
  if (d.chance(2)) add_activation(d, to, to);
}

void batch_norm(Drawer& d) { add_batch_norm(d, d.channels); }

void activation(Drawer& d) { add_activation(d); }

void residual(Drawer& d) {
  d.line("kept = x");
  block(d, layer_of_same_shape(d));
  d.line(d.one_of<std::string>({"x = x + kept", "x = kept + x", "x = torch.add(x, kept)", "x += kept"}));
  if (d.chance(2)) d.line("x = torch.relu(x)");
}

/// An in-place sum may not reach the caller's x or a value that is read again.
void branches(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  block(d, layer, "left");
  block(d, layer_of_same_shape(d), "right");
  if (d.chance(2)) {
    d.line("x = torch.cat([left, right], 1)");
    d.channels *= 2;
    LayerSettings narrow = layer_of_same_shape(d);
    narrow.groups = 1;
    narrow.out = layer.out;
    block(d, narrow);
    d.channels = layer.out;
  } else {
    d.line(d.one_of<std::string>({"x = left + right", "x = left * torch.sigmoid(right)", "x = left - right * 0.5"}));
  }
}

void in_a_branch(Drawer& d) {
  d.begin_block(
      d.one_of<std::string>({"if x.size(0) % 2 == 0:", "if bool(x.abs().max() > 1e-3):", "for i in range(2):"}));
  block(d, layer_of_same_shape(d));
  d.line("x = x * 1.0");
  d.end_block();
}

void squeeze_and_excite(Drawer& d) {
  if (d.spatial != 2) return;
  const std::int64_t side = d.side;
  d.line(d.chance(2) ? "scale = torch.adaptive_avg_pool2d(x, [1, 1])" : "scale = x.mean([2, 3], True)");
  LayerSettings layer;
  layer.in = d.channels;
  layer.out = 2;
  d.side = 1;
  add_layer(d, layer, "scale", "scale");
  d.line(d.chance(2) ? "scale = torch.relu(scale)" : "scale = torch.relu_(scale)");
  std::swap(layer.in, layer.out);
  add_layer(d, layer, "scale", "scale");
  d.line(d.chance(2) ? "scale = torch.sigmoid(scale)" : "scale = torch.hardsigmoid(scale)");
  d.side = side;
  d.line(d.chance(2) ? "x = x * scale" : "x = scale * x");
}

void pool(Drawer& d) {
  if (d.spatial == 0 || d.side < 4) return;
  const std::string two = d.for_each_side(2);
  d.line(fmt::format("x = torch.{}_pool{}(x, {})", d.chance(2) ? "max" : "avg", d.rank_suffix(), two));
  d.side = d.side / 2;
}

void upsample(Drawer& d) {
  if (d.spatial != 2 || d.side > 6) return;
  d.side *= 2;
  d.line(d.chance(2) ? fmt::format("x = torch.upsample_nearest2d(x, [{0}, {0}])", d.side)
                     : fmt::format("x = torch.upsample_bilinear2d(x, [{0}, {0}], False)", d.side));
}

void zero_padding(Drawer& d) {
  if (d.spatial == 0 || d.side > 8) return;
  std::string pads = "[1, 1";
  for (std::int64_t k = 1; k < d.spatial; ++k) pads += ", 1, 1";
  d.line(fmt::format("x = torch.constant_pad_nd(x, {}], {})", pads, d.chance(4) ? "0.5" : "0.0"));
  d.side += 2;
  LayerSettings layer;
  layer.in = d.channels;
  layer.out = d.channels;
  layer.kernel = 3;
  layer.groups = d.chance(2) ? d.channels : 1;
  layer.bias = d.chance(2);
  block(d, layer);
  d.side = side_after(d, layer);
}

/// A BatchNorm of a linear's features in tokens.
void tokens(Drawer& d) {
  if (d.spatial != 2) return;
  d.line("x = torch.flatten(x, 2)");
  d.line(d.chance(2) ? "t = x.transpose(1, 2)" : "t = x.permute([0, 2, 1])");
  const std::int64_t tokens = d.side * d.side;
  d.spatial = 0;
  const LayerSettings layer = layer_of_same_shape(d);
  add_layer(d, layer, "t", "t");
  d.spatial = 1;
  d.side = tokens;
  d.line(d.chance(2) ? "x = t.transpose(1, 2)" : "x = t.permute([0, 2, 1])");
  if (d.chance(2)) d.may_fold(add_batch_norm(d, d.channels));
}

void head(Drawer& d) {
  if (d.spatial == 0) return;
  std::int64_t features = d.channels;
  for (std::int64_t k = 0; k < d.spatial; ++k) features *= d.side;
  if (features > 300) {
    d.line("x = x.flatten(2).mean([2])");
    features = d.channels;
  } else {
    d.line(d.one_of<std::string>({"x = torch.flatten(x, 1)", "x = x.reshape([x.size(0), -1])"}));
  }
  d.spatial = 0;
  d.channels = features;
  convolution(d);
}

void computed_weight(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  const std::string name = add_layer(d, layer, "x", "unused");
  torch::jit::Module& module = d.submodule(name);
  module.register_parameter("weight_g", d.uniform({layer.out}) + 0.5, false);
  d.line(fmt::format("w = self.{0}.weight / self.{0}.weight.flatten(1).norm(2, 1).{1} * self.{0}.weight_g.{1}", name,
                     d.per_output()));
  if (d.spatial == 0)
    d.line("x = torch.linear(x, w)");
  else
    d.line(fmt::format("x = torch.conv{}(x, w, None, {}, {}, {}, {})", d.rank_suffix(), d.for_each_side(1),
                       d.for_each_side(layer.padding), d.for_each_side(1), layer.groups));
  if (d.chance(2)) add_batch_norm(d, d.channels);
}

void shuffle(Drawer& d) {
  if (d.spatial != 2 || d.channels % 2 != 0) return;
  const std::int64_t half = d.channels / 2;
  d.line(fmt::format("x = x.reshape([-1, 2, {0}, {1}, {1}]).transpose(1, 2).reshape([-1, {2}, {1}, {1}])", half, d.side,
                     d.channels));
}

void layout(Drawer& d) {
  if (d.spatial == 2) d.line(d.chance(2) ? "x = x.contiguous(memory_format=2)" : "x = x.contiguous()");
}

void arithmetic(Drawer& d) {
  d.line(d.one_of<std::string>({"x = x * 0.5 + 0.25", "x = x.clone()", "x = -x", "x = x + x", "x.mul_(0.75)",
                                "x = torch.where(x > 0, x, x * 0.25)", "x = torch.cat([x, x * 0.5], 1)[:, ::2]",
                                "x = x.flip([-1])"}));
}

}  // namespace

void convolution(Drawer& d) {
  const LayerSettings layer = any_layer(d);
  block(d, layer);
  if (d.spatial > 0) d.side = side_after(d, layer);
  d.channels = layer.out;
}

const std::vector<Piece>& layer_pieces() {
  static const std::vector<Piece> pieces = {
      convolution, convolution,  convolution, convolution, batch_norm,         activation,
      residual,    residual,     branches,    in_a_branch, squeeze_and_excite, pool,
      upsample,    zero_padding, tokens,      head,        computed_weight,    shuffle,
      layout,      arithmetic};
  return pieces;
}

}  // namespace fusekit::test
