#include "differential/draw_layers.h"

#include <fmt/format.h>

#include <cmath>

namespace fusekit::test {
namespace {

std::vector<std::int64_t> divisors(std::int64_t a, std::int64_t b) {
  std::vector<std::int64_t> found;
  for (std::int64_t k = 1; k <= std::min(a, b); ++k)
    if (a % k == 0 && b % k == 0) found.push_back(k);
  return found;
}

/// The operator's text; `self` is where the weights are.
std::string layer_text(const Drawer& d, const LayerSettings& layer, const std::string& self, const std::string& x) {
  const std::string tensors = fmt::format("{}, {}weight, {}", x, self, layer.bias ? self + "bias" : "None");
  if (d.spatial == 0) return fmt::format("torch.linear({})", tensors);
  const std::string stride = d.for_each_side(layer.stride);
  const std::string dilation = d.for_each_side(layer.dilation);
  const std::string padding = layer.padding_in_words ? "\"same\"" : d.for_each_side(layer.padding);
  const std::string no_more = d.for_each_side(0);
  if (d.traced && !layer.padding_in_words)
    return fmt::format("torch._convolution({}, {}, {}, {}, {}, {}, {}, False, False, True, True)", tensors, stride,
                       padding, dilation, layer.transposed ? "True" : "False", no_more, layer.groups);
  if (layer.transposed)
    return fmt::format("torch.conv_transpose{}({}, {}, {}, {}, {}, {})", d.rank_suffix(), tensors, stride, padding,
                       no_more, layer.groups, dilation);
  return fmt::format("torch.conv{}({}, {}, {}, {}, {})", d.rank_suffix(), tensors, stride, padding, dilation,
                     layer.groups);
}

std::string batch_norm_text(const std::string& self, const std::string& x, bool affine, const std::string& training,
                            const std::string& eps) {
  return fmt::format("torch.batch_norm({}, {}, {}running_mean, {}running_var, {}, 0.1, {}, True)", x,
                     affine ? self + "weight, " + self + "bias" : "None, None", self, self, training, eps);
}

}  // namespace

std::int64_t side_after(const Drawer& d, const LayerSettings& layer) {
  const std::int64_t reach = layer.dilation * (layer.kernel - 1);
  if (layer.padding_in_words) return d.side;
  if (layer.transposed) return (d.side - 1) * layer.stride - 2 * layer.padding + reach + 1;
  return (d.side + 2 * layer.padding - reach - 1) / layer.stride + 1;
}

LayerSettings any_layer(Drawer& d) {
  LayerSettings layer;
  layer.in = d.channels;
  layer.out = d.pick(2, 6);
  layer.bias = d.chance(2);
  if (d.spatial == 0) return layer;
  if (d.chance(3)) layer.out = d.channels * d.pick(1, d.channels > 3 ? 1 : 2);
  layer.groups = d.chance(2) ? 1 : d.one_of(divisors(layer.in, layer.out));
  layer.kernel = d.one_of<std::int64_t>({1, 1, 2, 3, 3, 3, 5});
  layer.transposed = d.chance(6);
  if (layer.kernel > 1 && d.chance(4)) layer.dilation = 2;
  if (d.chance(4)) layer.stride = 2;
  const std::int64_t reach = layer.dilation * (layer.kernel - 1);
  layer.padding = d.chance(3) && !layer.transposed ? 0 : reach / 2;
  layer.padding_in_words = layer.stride == 1 && !layer.transposed && d.chance(6);
  const std::int64_t side = side_after(d, layer);
  if (side >= 2 && side <= 12) return layer;
  layer.kernel = layer.stride = layer.dilation = 1;
  layer.padding = 0;
  return layer;
}

LayerSettings layer_of_same_shape(Drawer& d) {
  LayerSettings layer;
  layer.in = layer.out = d.channels;
  layer.bias = d.chance(2);
  if (d.spatial == 0) return layer;
  layer.groups = d.chance(3) ? d.channels : 1;
  layer.kernel = d.one_of<std::int64_t>({1, 3});
  layer.padding = layer.kernel / 2;
  return layer;
}

void call_layer(Drawer& d, const std::string& name, const LayerSettings& layer, const std::string& from,
                const std::string& to) {
  d.line(fmt::format("{} = {}", to, layer_text(d, layer, "self." + name + ".", from)));
}

std::string add_layer(Drawer& d, const LayerSettings& layer, const std::string& from, const std::string& to) {
  const std::string name = d.fresh_name(d.spatial == 0 ? "linear" : "conv");
  torch::jit::Module& module = d.submodule(name);
  std::vector<std::int64_t> sizes = {layer.out, layer.in / layer.groups};
  if (layer.transposed) sizes = {layer.in, layer.out / layer.groups};
  double inputs = static_cast<double>(layer.in) / static_cast<double>(layer.groups);
  for (std::int64_t k = 0; k < d.spatial; ++k) {
    sizes.push_back(layer.kernel);
    inputs *= static_cast<double>(layer.kernel);
  }
  module.register_parameter("weight", d.normal(sizes) / std::sqrt(inputs), false);
  if (layer.bias) module.register_parameter("bias", d.normal({layer.out}) / 2, false);
  if (d.traced || d.chance(2)) {
    call_layer(d, name, layer, from, to);
  } else {
    d.method(name, fmt::format("def forward(self, x):\n    return {}\n", layer_text(d, layer, "self.", "x")));
    d.line(fmt::format("{} = self.{}.forward({})", to, name, from));
  }
  return name;
}

void call_batch_norm(Drawer& d, const std::string& name, const std::string& from, const std::string& to) {
  const bool affine = d.submodule(name).hasattr("weight");
  const std::string eps =
      d.trains ? "0.5" : d.one_of<std::string>({"1e-5", "1e-3", "0.1"});  // as statistics_of_the_batch
  const std::string self = "self." + name + ".";
  if (d.traced) {
    d.line(fmt::format("{} = {}", to, batch_norm_text(self, from, affine, "False", eps)));
    return;
  }
  d.asks_for_mode(name);
  if (d.chance(2)) {
    d.line(fmt::format("if {}training:", self));
    d.line(fmt::format("    {}num_batches_tracked.add_(1)", self));
    d.line(fmt::format("{} = {}", to, batch_norm_text(self, from, affine, self + "training", eps)));
  } else {
    const std::string method = d.fresh_name("call");
    d.method(name, fmt::format("def {}(self, x):\n    if self.training:\n        self.num_batches_tracked.add_(1)\n"
                               "    return {}\n",
                               method, batch_norm_text("self.", "x", affine, "self.training", eps)));
    d.line(fmt::format("{} = {}{}({})", to, self, method, from));
  }
}

std::string add_batch_norm(Drawer& d, std::int64_t channels, const std::string& from, const std::string& to) {
  if (d.trains && d.spatial == 0) {
    d.line(fmt::format("{} = {}", to, from));
    return "";
  }
  const std::string name = d.fresh_name("bn");
  torch::jit::Module& module = d.submodule(name);
  if (!d.chance(6)) {
    module.register_parameter("weight", d.uniform({channels}) + (d.chance(5) ? -1.5 : 0.5), false);
    module.register_parameter("bias", d.normal({channels}) / 4, false);
  }
  module.register_buffer("running_mean", d.normal({channels}) / 4);
  module.register_buffer("running_var", d.uniform({channels}) + (d.chance(6) ? 0.01 : 0.5));
  module.register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  call_batch_norm(d, name, from, to);
  return name;
}

void add_activation(Drawer& d, const std::string& from, const std::string& to) {
  static const std::vector<std::string> kinds = {"torch.relu({})",
                                                 "torch.relu({})",
                                                 "torch.relu_({})",
                                                 "torch.relu_({})",
                                                 "torch.clamp({}, 0.0, 6.0)",
                                                 "torch.clamp_min({}, 0.0)",
                                                 "torch.hardtanh({}, 0.0, 6.0)",
                                                 "torch.sigmoid({})",
                                                 "torch.tanh({})",
                                                 "{0} * torch.sigmoid({0})",
                                                 "torch.silu({})",
                                                 "torch.hardswish({})",
                                                 "torch.leaky_relu({}, 0.1)",
                                                 "torch.gelu({})",
                                                 "torch.elu({})"};
  d.line(to + " = " + fmt::format(fmt::runtime(d.one_of(kinds)), from));
}

}  // namespace fusekit::test
