#include "ir/aliases.h"

namespace fusekit::ir {

std::unique_ptr<torch::jit::AliasDb> analyze_aliases(torch::jit::Graph& graph) {
  // It wants to own the graph, but a graph of 1.13 can't tell who owns it.
  return std::make_unique<torch::jit::AliasDb>(std::shared_ptr<torch::jit::Graph>(std::shared_ptr<void>(), &graph));
}

}  // namespace fusekit::ir
