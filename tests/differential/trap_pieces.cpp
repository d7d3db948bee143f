#include <fmt/format.h>

#include "differential/draw_layers.h"

// What looks like a pattern of the rules and must not be folded as one, or not without care.

namespace fusekit::test {
namespace {

void second_reader(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  add_layer(d, layer, "x", "y");
  add_batch_norm(d, layer.out, "y", "z");
  d.line(d.one_of<std::string>({"x = z + y", "x = y * torch.sigmoid(z)", "x = z + y.mean()", "x = z.add_(y)"}));
}

void written_between(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  add_layer(d, layer, "x", "y");
  d.line(d.one_of<std::string>({"y.add_(0.5)", "y[0].mul_(0.5)", "y.select(1, 0).zero_()", "y.clamp_(-0.5, 0.5)",
                                "torch.relu_(y.narrow(1, 0, 1))"}));
  add_batch_norm(d, layer.out, "y", "x");
}

/// The BatchNorm's input is the layer's output, and another value holds the same memory.
void view_kept(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  add_layer(d, layer, "x", "y");
  d.line("v = y[0]");
  add_batch_norm(d, layer.out, "y", "x");
  d.line(d.chance(2) ? "x = x + v" : "v.add_(1.0)");
}

/// Made in place, the activation would change what is read afterwards.
void read_before_and_after(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  add_layer(d, layer, "x", "y");
  if (d.chance(2)) d.may_fold(add_batch_norm(d, layer.out, "y", "y"));
  d.line(d.chance(2) ? "r = torch.relu(y)" : "r = torch.relu_(y)");
  d.line(d.one_of<std::string>(
      {"x = r + y", "x = r - 0.5 * y", "x = torch.cat([r, y], 1).narrow(1, 0, " + std::to_string(d.channels) + ")"}));
}

void other_channels(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  add_layer(d, layer, "x", "y");
  d.line("y = y.flip([1])");
  add_batch_norm(d, layer.out, "y", "x");
}

/// One layer called twice: with one BatchNorm, with two, or once without any.
void called_twice(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  const std::string name = add_layer(d, layer, "x", "y");
  const std::string batch_norm = add_batch_norm(d, layer.out, "y", "y");
  call_layer(d, name, layer, "y", "x");
  switch (batch_norm.empty() ? 0 : d.pick(0, 2)) {
    case 0:
      break;
    case 1:
      call_batch_norm(d, batch_norm, "x", "x");
      break;
    default:
      add_batch_norm(d, layer.out);
  }
}

void weight_is_read(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  const std::string name = add_layer(d, layer);
  d.may_fold(add_batch_norm(d, layer.out));
  d.line(fmt::format("x = x + self.{}.weight.mean()", name));
}

void weight_is_written(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  const std::string name = add_layer(d, layer);
  add_batch_norm(d, layer.out);
  d.line(fmt::format("self.{}.weight.mul_(0.96875)", name));
}

void statistics_are_written(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  add_layer(d, layer);
  const std::string name = add_batch_norm(d, layer.out);
  if (!name.empty()) d.line(fmt::format("self.{}.running_mean.add_(0.125)", name));
}

/// With a large eps: what hardly varies is not made large, and its rounding neither.
void statistics_of_the_batch(Drawer& d) {
  if (d.spatial == 0) return;
  add_layer(d, layer_of_same_shape(d));
  d.line("x = torch.batch_norm(x, None, None, None, None, True, 0.1, 0.5, True)");
}

void output_kept(Drawer& d) {
  const LayerSettings layer = layer_of_same_shape(d);
  add_layer(d, layer, "x", "y");
  add_batch_norm(d, layer.out, "y", "x");
  const std::string name = d.fresh_name("seen");
  d.line(name + " = y");
  d.output(name);
}

/// One BatchNorm for two layers.
void shared_batch_norm(Drawer& d) {
  add_layer(d, layer_of_same_shape(d), "x", "y");
  const std::string name = add_batch_norm(d, d.channels, "y", "y");
  if (!name.empty()) d.may_fold(name);
  add_layer(d, layer_of_same_shape(d), "y", "x");
  if (!name.empty()) call_batch_norm(d, name, "x", "x");
}

}  // namespace

const std::vector<Piece>& trap_pieces() {
  static const std::vector<Piece> pieces = {second_reader,           written_between,   view_kept,
                                            read_before_and_after,   other_channels,    called_twice,
                                            weight_is_read,          weight_is_written, statistics_are_written,
                                            statistics_of_the_batch, output_kept,       shared_batch_norm};
  return pieces;
}

}  // namespace fusekit::test
