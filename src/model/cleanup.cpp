#include "model/cleanup.h"

#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/lower_tuples.h>

namespace fusekit::model {
namespace {

using torch::jit::Block;
using torch::jit::Node;

bool is_read(const Node* node) {
  return std::any_of(node->outputs().begin(), node->outputs().end(),
                     [](const torch::jit::Value* output) { return output->hasUses(); });
}

void remove_from(Block* block) {
  for (auto it = block->nodes().rbegin(); it != block->nodes().rend();) {
    Node* node = *it;
    ++it;
    for (Block* inner : node->blocks()) remove_from(inner);
    if (!is_read(node) && !has_effect(node)) node->destroy();
  }
}

}  // namespace

bool has_effect(const Node* node) {
  if (node->kind() == c10::prim::Constant) return false;
  if (!node->blocks().empty()) {
    // A loop may never end: that counts as an effect where its condition is not a plain count.
    for (const Block* block : node->blocks())
      for (const Node* inner : block->nodes())
        if (has_effect(inner)) return true;
    return node->kind() != c10::prim::If && node->kind() != c10::prim::Loop;
  }
  if (node->hasSideEffects() || node->isNondeterministic()) return true;
  const auto* schema = node->maybeSchema();
  return schema != nullptr && schema->is_mutable();
}

void propagate_constants(std::shared_ptr<torch::jit::Graph>& graph) {
  torch::jit::LowerSimpleTuples(graph);
  torch::jit::ConstantPropagationImmutableTypes(graph);
}

void remove_dead_code(torch::jit::Graph& graph) { remove_from(graph.block()); }

}  // namespace fusekit::model
