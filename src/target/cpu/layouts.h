#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include "inputs/observed_tensors.h"

namespace fusekit::target {

/// Does the operator give its output in the memory layout of its first input, element by element or channel by channel?
/// (Those of several tensors, arithmetic and concatenation, are not among them.)
bool keeps_layout(const torch::jit::Node* node);

/// Can the graph tell how its inputs lie in memory, other than by raising?
bool looks_at_memory(torch::jit::Graph& graph);

/// Lets operators that only take contiguous memory have it, where data may be in channels_last: a `view` becomes a
/// `reshape`, which copies where it must; operators of other libraries get contiguous tensors.
void read_any_layout(torch::jit::Graph& graph, const inputs::ObservedTensors& observed);

}  // namespace fusekit::target
