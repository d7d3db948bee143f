#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace fusekit::ir {

/// Evaluates what has only constant numbers, flags and strings as inputs, and takes the branches that are decided by
/// it. Never runs a tensor operator, so nothing is baked into the file.
void propagate_constants(torch::jit::Graph& graph);

/// Removes nodes whose outputs nothing reads, and such outputs of branches and loops. Unlike LibTorch's pass it keeps random numbers and in-place writes.
void remove_dead_code(torch::jit::Graph& graph);

/// Has this node an effect besides its outputs: a write, a file, a print, a raise, a random number?
bool has_effect(const torch::jit::Node* node);

}  // namespace fusekit::ir
