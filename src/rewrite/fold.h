#pragma once

#include "rewrite/rule.h"

namespace fusekit::rewrite {

// Folding y = gamma * (W x + b - mean) / sqrt(var + eps) + beta into a new weight and bias, computed in double:
//   s = gamma / sqrt(var + eps),  W' = s W,  b' = s (b - mean) + beta   (s along the output channels)
// Source: Ioffe & Szegedy, Batch Normalization (2015), section 3.1; the parameters as torch.nn.BatchNorm2d has them.

/// Why the BatchNorm `node` can't be folded into what feeds it: batch statistics, statistics or affine parameters that
/// are not constant, var + eps that is not positive and finite.
WhyNot batch_norm_is_not_constant(Node* node, const Context& context);

/// Why the weight or bias of the convolution or linear `node` can't be folded into: computed, written, not a plain dense
/// floating-point tensor.
WhyNot weight_is_not_constant(Node* node, const Context& context);

/// Why constant weights can't take a BatchNorm: other channels, a result that leaves the dtype's finite range.
WhyNot weight_cannot_take(Node* node, Node* batch_norm, Context& context);

/// Why the output channels of the convolution `node` are not known to be the dimension that the BatchNorm normalizes:
/// its input certainly has no batch dimension. Where the rank is not known, `fold_batch_norm` makes the operator
/// insist on it.
WhyNot convolution_is_not_batched(Node* node, Node* batch_norm, Context& context);

/// The same for a linear: its input has to have two dimensions for certain, or by what the user said.
WhyNot linear_is_not_two_dimensional(Node* node, Node* batch_norm, Context& context);

/// The whole case against folding the BatchNorm at [1] into the convolution at [0] of a site.
WhyNot convolution_cannot_take_batch_norm(const Site& site, Context& context);

/// Folds the second node of the site into the first: a new weight and bias, and the BatchNorm is gone. Returns the node
/// that stands for the first: where the rank of the data was not proven, it is aten::_convolution or aten::addmm, which
/// raise on data of another rank, as the BatchNorm did.
Node* fold_batch_norm(const Site& site, Context& context);

/// Why the ReLU at the end of a site can't work in place on what the node before it computes.
WhyNot relu_cannot_work_in_place(const Site& site, Context& context);

/// Makes the last node of the site, a ReLU, work in place, and notes the nodes as a group for a target that has one
/// operator for them. The nodes before it must be read by their successors alone. Did anything change?
bool group_with_relu(const Site& site, std::string_view rule, Context& context);

}  // namespace fusekit::rewrite
