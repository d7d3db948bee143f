#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace fusekit::ir {

/// Does the graph have a `with torch.autocast(...)` of its own (torch.jit.script)? A trace has its casts as operators.
bool has_autocast(const torch::jit::Graph& graph);

/// Does the operator stand in a `with torch.autocast(...)` that is on? LibTorch casts what it reads when it runs, its
/// weights among it.
bool is_under_autocast(const torch::jit::Node* node);

}  // namespace fusekit::ir
