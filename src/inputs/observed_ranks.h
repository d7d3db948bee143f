#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <unordered_map>

#include "inputs/inputs.h"

namespace fusekit::inputs {

/// Numbers of dimensions by Value::unique.
using ObservedRanks = std::unordered_map<std::size_t, std::int64_t>;

/// Runs a copy of `graph`, a method of the network `original` with that schema, once on `sample`, and tells how many
/// dimensions the tensors in it had. Left out: what was not reached, or had now this number and now that. Empty where the
/// network can't be run so. The original and the graph stay as they were. Error{model}: the run takes more time or memory
/// than RuntimeOptions allow.
ObservedRanks observed_ranks(const file::Original& original, torch::jit::Graph& graph,
                             const c10::FunctionSchema& schema, const Sample& sample);

}  // namespace fusekit::inputs
