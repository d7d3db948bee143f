#include "ir/operators/convolution.h"

#include <string>

#include "ir/constants.h"

namespace fusekit::ir {
namespace {

using Numbers = std::vector<std::int64_t>;

/// How an operator is told to be a convolution, by its name.
struct Spelling {
  bool checks_rank = false;
  std::optional<bool> transposed;  ///< nullopt: an argument says so
};

std::optional<Spelling> spelling_of(const Node* node) {
  if (is_operator(node, {"aten::conv1d", "aten::conv2d", "aten::conv3d"})) return Spelling{false, false};
  if (is_operator(node, {"aten::conv_transpose1d", "aten::conv_transpose2d", "aten::conv_transpose3d"}))
    return Spelling{false, true};
  if (is_operator(node, {"aten::_convolution_mode"})) return Spelling{true, false};
  if (is_operator(node, {"aten::_convolution", "aten::convolution"})) return Spelling{true, std::nullopt};
  return std::nullopt;
}

/// padding="same" keeps the size at stride 1; where the sum is odd, PyTorch puts the larger half behind.
void set_padding_same(Geometry& geometry, const at::Tensor& weight) {
  for (std::size_t i = 0; i < geometry.spatial(); ++i) {
    const std::int64_t total = geometry.dilation[i] * (weight.size(static_cast<std::int64_t>(i) + 2) - 1);
    geometry.padding.push_back(total / 2);
    geometry.padding_end.push_back(total - total / 2);
  }
}

/// Sets both paddings; false where they are computed at run time.
bool set_padding(Geometry& geometry, Node* node, const at::Tensor& weight) {
  const Value* padding = argument(node, "padding");
  if (const auto mode = constant_string(padding)) {
    if (*mode == "same") {
      set_padding_same(geometry, weight);
    } else {
      geometry.padding = geometry.padding_end = Numbers(geometry.spatial(), 0);
    }
    return *mode == "same" || *mode == "valid";
  }
  const auto numbers = constant_ints(padding, geometry.spatial());
  if (numbers) geometry.padding = geometry.padding_end = *numbers;
  return numbers.has_value();
}

}  // namespace

std::optional<Convolution> as_convolution(Node* node) {
  const auto spelling = spelling_of(node);
  if (!spelling) return std::nullopt;
  const auto transposed = spelling->transposed ? spelling->transposed : constant_bool(argument(node, "transposed"));
  const auto groups = constant_int(argument(node, "groups"));
  if (!transposed || !groups) return std::nullopt;
  return Convolution{node,        argument(node, "input"), argument(node, "weight"), argument(node, "bias"), *groups,
                     *transposed, spelling->checks_rank};
}

std::optional<Geometry> geometry_of(const Convolution& convolution, const at::Tensor& weight) {
  if (weight.dim() < 3 || weight.dim() > 5) return std::nullopt;
  const auto spatial = static_cast<std::size_t>(weight.dim()) - 2;
  Node* node = convolution.node;
  const auto stride = constant_ints(argument(node, "stride"), spatial);
  const auto dilation = constant_ints(argument(node, "dilation"), spatial);
  std::optional<Numbers> output_padding(std::in_place, spatial, 0);
  if (convolution.transposed) output_padding = constant_ints(argument(node, "output_padding"), spatial);
  if (!stride || !dilation || !output_padding) return std::nullopt;
  Geometry geometry{*stride, {}, {}, *dilation, *output_padding};
  return set_padding(geometry, node, weight) ? std::optional(geometry) : std::nullopt;
}

std::int64_t input_channels(const Convolution& convolution, const at::Tensor& weight) {
  return convolution.transposed ? weight.size(0) : weight.size(1) * convolution.groups;
}

}  // namespace fusekit::ir
