#pragma once

#include "ir/operators/convolution.h"
#include "ir/operators/linear.h"

namespace fusekit::ir {

/// A convolution or a linear: what multiplies its input with a weight and takes most of a network's time.
struct Layer {
  Node* node = nullptr;
  Value* input = nullptr;
  Value* weight = nullptr;
  Value* bias = nullptr;
  std::int64_t groups = 1;
  bool transposed = false;
  bool is_linear = false;
  bool checks_rank = false;  ///< raises on data of another rank than `batched_rank`
};

std::optional<Layer> as_layer(Node* node);

/// The number of output channels of a layer with this weight.
std::int64_t output_channels(const Layer& layer, const at::Tensor& weight);

/// The rank of batched data: 2 for a linear, the weight's for a convolution.
std::int64_t batched_rank(const Layer& layer, const at::Tensor& weight);

/// Multiply-adds of one run that makes an output of shape `output` of an input of shape `input`.
double multiply_adds(const Layer& layer, const at::Tensor& weight, const std::vector<std::int64_t>& input,
                     const std::vector<std::int64_t>& output);

}  // namespace fusekit::ir
