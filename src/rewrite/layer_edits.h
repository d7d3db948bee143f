#pragma once

#include "ir/operators.h"

namespace fusekit::rewrite {

using ir::Node;
using ir::Value;

/// A layer's weight and bias as values of the graph.
struct LayerWeights {
  Value* weight = nullptr;
  Value* bias = nullptr;
};

/// The same convolution or linear on other weights; returns `layer`.
Node* with_weights(Node* layer, const LayerWeights& weights);

/// A new node in front of `layer` that computes the same on data of `rank` with these weights, and raises on any other:
/// aten::_convolution (with string padding aten::_convolution_mode) for a convolution, aten::addmm for a linear.
Node* strict_with_weights(Node* layer, const LayerWeights& weights, std::int64_t rank);

/// A new node in front of `convolution` (not transposed) that reads `input` and pads it with so many zeros on both sides
/// of each spatial dimension. It checks the rank of its data where `convolution` did.
Node* with_padding(Node* convolution, Value* input, const std::vector<std::int64_t>& padding);

}  // namespace fusekit::rewrite
