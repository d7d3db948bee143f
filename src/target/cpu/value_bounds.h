#pragma once

#include <optional>

#include "inputs/observed_tensors.h"
#include "ir/operators/activation.h"
#include "ir/program.h"

namespace fusekit::target {

/// Between which numbers all elements of a tensor certainly are, NaN being none: by constants, integer dtypes, and
/// arithmetic on them. nullopt: they may be infinite, or nothing is known.
std::optional<ir::Interval> value_bounds(const torch::jit::Value* value, const ir::Program& program,
                                         const inputs::ObservedTensors& observed);

}  // namespace fusekit::target
