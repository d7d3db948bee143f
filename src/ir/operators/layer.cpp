#include "ir/operators/layer.h"

namespace fusekit::ir {

std::optional<Layer> as_layer(Node* node) {
  if (const auto convolution = as_convolution(node))
    return Layer{node,
                 convolution->input,
                 convolution->weight,
                 convolution->bias,
                 convolution->groups,
                 convolution->transposed,
                 /*is_linear=*/false,
                 convolution->checks_rank};
  if (const auto linear = as_linear(node))
    return Layer{node, linear->input, linear->weight, linear->bias, 1, false, /*is_linear=*/true, linear->is_addmm};
  return std::nullopt;
}

std::int64_t output_channels(const Layer& layer, const at::Tensor& weight) {
  return layer.transposed ? weight.size(1) * layer.groups : weight.size(0);
}

std::int64_t batched_rank(const Layer& layer, const at::Tensor& weight) { return layer.is_linear ? 2 : weight.dim(); }

double multiply_adds(const Layer& layer, const at::Tensor& weight, const std::vector<std::int64_t>& input,
                     const std::vector<std::int64_t>& output) {
  // Each weight is used once for each position of the output (transposed: of the input) and each sample. A position is
  // one of all dimensions but the channels': of a linear the last one, else dimension 1.
  const auto& sizes = layer.transposed ? input : output;
  double positions = 1;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (layer.is_linear ? i + 1 < sizes.size() : i != 1) positions *= static_cast<double>(sizes[i]);
  return positions * static_cast<double>(weight.numel());
}

}  // namespace fusekit::ir
