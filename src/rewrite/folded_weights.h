#pragma once

#include "ir/operators.h"
#include "ir/program.h"

namespace fusekit::rewrite {

// Folding y = gamma * (W x + b - mean) / sqrt(var + eps) + beta into a new weight and bias, computed in double:
//   s = gamma / sqrt(var + eps),  W' = s W,  b' = s (b - mean) + beta   (s along the output channels)
// Source: Ioffe & Szegedy, Batch Normalization (2015), section 3.1; the parameters as torch.nn.BatchNorm2d has them.

/// A weight and a bias that came of a fold, in the weight's dtype.
struct FoldedWeights {
  at::Tensor weight;  ///< of the layer's shape and memory format
  at::Tensor bias;    ///< (C_out)
};

/// What layer and BatchNorm compute as one layer. All their tensors must be constant and of fitting sizes.
FoldedWeights fold(const ir::Layer& layer, const ir::BatchNorm& bn, const ir::Program& program);

}  // namespace fusekit::rewrite
