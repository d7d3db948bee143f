#include "ir/cleanup.h"

#include <algorithm>
#include <unordered_set>

namespace fusekit::ir {
namespace {

using torch::jit::Block;
using torch::jit::Node;

/// What has no schema and no effect. Everything else without a schema (prim::SetAttr, ...) is taken to have one.
const std::unordered_set<c10::Symbol>& pure_without_schema() {
  static const std::unordered_set<c10::Symbol> kinds = {c10::prim::Constant,
                                                        c10::prim::GetAttr,
                                                        c10::prim::ListConstruct,
                                                        c10::prim::TupleConstruct,
                                                        c10::prim::DictConstruct,
                                                        c10::prim::ListUnpack,
                                                        c10::prim::TupleUnpack,
                                                        c10::prim::TupleIndex,
                                                        c10::prim::TupleSlice,
                                                        c10::prim::unchecked_cast,
                                                        c10::prim::Uninitialized,
                                                        c10::prim::isinstance,
                                                        c10::prim::If,
                                                        c10::prim::Loop};
  return kinds;
}

bool is_read(const Node* node) {
  return std::any_of(node->outputs().begin(), node->outputs().end(),
                     [](const torch::jit::Value* output) { return output->hasUses(); });
}

void remove_from(Block* block);

/// Results of a branch that nothing reads: what computes them may go, too.
void remove_unread_results_of_branch(Node* node) {
  for (std::size_t i = node->outputs().size(); i-- > 0;) {
    if (node->outputs()[i]->hasUses()) continue;
    node->eraseOutput(i);
    for (Block* branch : node->blocks()) branch->eraseOutput(i);
  }
}

/// Carried values of a loop that neither its body nor anything after it reads. Were there any?
bool remove_unread_results_of_loop(Node* node) {
  const std::size_t before = node->outputs().size();
  Block* body = node->blocks().at(0);
  for (std::size_t i = node->outputs().size(); i-- > 0;) {
    if (node->outputs()[i]->hasUses() || body->inputs()[i + 1]->hasUses()) continue;
    node->eraseOutput(i);
    body->eraseOutput(i + 1);
    body->eraseInput(i + 1);
    node->removeInput(i + 2);
  }
  return node->outputs().size() < before;
}

void remove_from(Block* block) {
  for (auto it = block->nodes().rbegin(); it != block->nodes().rend();) {
    Node* node = *it;
    ++it;
    if (node->kind() == c10::prim::If) remove_unread_results_of_branch(node);
    for (Block* inner : node->blocks()) remove_from(inner);
    if (node->kind() == c10::prim::Loop && remove_unread_results_of_loop(node)) remove_from(node->blocks().at(0));
    if (!is_read(node) && !has_effect(node)) node->destroy();
  }
}

}  // namespace

bool has_effect(const Node* node) {
  for (const Block* block : node->blocks())
    if (std::any_of(block->nodes().begin(), block->nodes().end(), has_effect)) return true;
  if (const auto* schema = node->maybeSchema())
    return schema->is_mutable() || node->hasSideEffects() || node->isNondeterministic();
  return pure_without_schema().count(node->kind()) == 0;
}

void remove_dead_code(torch::jit::Graph& graph) { remove_from(graph.block()); }

}  // namespace fusekit::ir
