#pragma once

#include <torch/csrc/jit/ir/alias_analysis.h>

#include <memory>

namespace fusekit::ir {

/// What may share memory with what, and who writes it. Not to outlive the graph, nor a change of it.
std::unique_ptr<torch::jit::AliasDb> analyze_aliases(torch::jit::Graph& graph);

}  // namespace fusekit::ir
