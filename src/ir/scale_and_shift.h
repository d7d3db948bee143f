#pragma once

#include <optional>

#include "ir/operators/batch_norm.h"
#include "ir/program.h"

namespace fusekit::ir {

/// s and shift of y = s x + shift, in double, of shape (C):
///   s = gamma / sqrt(var + eps),  shift = beta - mean s
struct ScaleAndShift {
  at::Tensor scale;
  at::Tensor shift;
};

/// What a BatchNorm with its running statistics computes. nullopt: a tensor or eps is not constant, there are no running
/// statistics, or var + eps is not positive and finite.
std::optional<ScaleAndShift> scale_and_shift(const BatchNorm& norm, const Program& program);

}  // namespace fusekit::ir
