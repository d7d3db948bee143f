#pragma once

#include "rewrite/rule.h"

namespace fusekit::rewrite {

/// What a convolution and a linear have in common here.
struct Affine {
  Value* weight = nullptr;
  Value* bias = nullptr;
  std::int64_t groups = 1;
  bool transposed = false;
};

/// Of a node that is a convolution or a linear.
Affine affine_of(Node* node);

/// The number of output channels of a weight of this kind.
std::int64_t output_channels(const at::Tensor& weight, const Affine& affine);

/// The weight and bias that compute what the operator and the BatchNorm after it compute (fold.h has the formula), in the
/// weight's dtype and memory format. All tensors must be constant and of fitting sizes.
Folded fold(const Affine& affine, const BatchNorm& bn, const ir::Program& program);

/// The rank of batched data for this operator: 2 for a linear, the weight's for a convolution.
std::int64_t expected_rank(Node* node, const Context& context);

/// The rank of what goes from the convolution or linear `node` into the BatchNorm, where it is certain.
std::optional<std::int64_t> rank_between(Node* node, Node* batch_norm, Context& context);

}  // namespace fusekit::rewrite
