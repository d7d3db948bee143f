#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "inputs/inputs.h"

namespace fusekit::inputs {

/// What a tensor was in a run; nullopt: now this and now that.
struct ObservedTensor {
  std::optional<std::int64_t> rank;
  std::optional<std::vector<std::int64_t>> sizes;
  std::optional<at::ScalarType> dtype;
  std::optional<bool> is_contiguous;
};

/// By Value::unique.
using ObservedTensors = std::unordered_map<std::size_t, ObservedTensor>;

/// What `value` was; nothing is known of one that was not reached.
ObservedTensor seen(const ObservedTensors& observed, const torch::jit::Value* value);

/// Runs a copy of `graph`, a method with that schema, once on `network` and `sample`, and tells what the tensors in it
/// were; what was not reached is left out. Empty where the network can't be run so.
/// `network` has the state that the run leaves; the graph stays as it was. Error{model}: the run takes more time or memory
/// than RuntimeOptions allow.
ObservedTensors observed_tensors(const torch::jit::Module& network, torch::jit::Graph& graph,
                                 const c10::FunctionSchema& schema, const Sample& sample);

}  // namespace fusekit::inputs
