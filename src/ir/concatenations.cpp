#include "ir/concatenations.h"

#include <algorithm>

#include "ir/aliases.h"
#include "ir/operators.h"

namespace fusekit::ir {
namespace {

struct Cat {
  Node* node;
  std::vector<Value*> parts;
};

bool is_cat(const Node* node) {
  return is_operator(node, {"aten::cat", "quantized::cat"}) &&
         node->input(0)->node()->kind() == c10::prim::ListConstruct;
}

/// The same operator with the same dimension, scale and zero point?
bool have_equal_settings(const Node* a, const Node* b) {
  if (a->kind() != b->kind()) return false;
  for (std::size_t i = 1; i < a->inputs().size(); ++i) {
    const auto value = constant(a->input(i));
    const auto other = constant(b->input(i));
    if (!value || !other || *value != *other) return false;
  }
  return true;
}

class Reuse {
 public:
  Reuse(Graph& graph, const Program& program) : graph_(graph), aliases_(graph, program) {}

  void visit(Block* block) {
    std::vector<Cat> before;
    for (Node* node : block->nodes()) {
      for (Block* inner : node->blocks()) visit(inner);
      if (!is_cat(node)) continue;
      Cat cat{node, node->input(0)->node()->inputs().vec()};
      const std::vector<Value*> all = cat.parts;
      if (shorten(cat, before)) changes_.push_back(cat);
      const auto is_kept = [&](const Value* value) { return !aliases_.is_written(value); };
      if (is_kept(node->output()) && std::all_of(all.begin(), all.end(), is_kept)) before.push_back({node, all});
    }
  }

  void write() {
    for (const Cat& cat : changes_) {
      const torch::jit::WithInsertPoint guard(cat.node);
      Node* old = cat.node->input(0)->node();
      Value* list = graph_.insertNode(graph_.createList(c10::TensorType::get(), cat.parts))->output();
      cat.node->replaceInput(0, list);
      if (!old->hasUses()) old->destroy();
    }
  }

 private:
  /// The most parts that one earlier cat stands for, again and again.
  static bool shorten(Cat& cat, const std::vector<Cat>& before) {
    bool is_shorter = false;
    for (auto earlier = before.rbegin(); earlier != before.rend(); ++earlier) {
      if (earlier->parts.size() < 2 || !have_equal_settings(earlier->node, cat.node)) continue;
      const auto run = std::search(cat.parts.begin(), cat.parts.end(), earlier->parts.begin(), earlier->parts.end());
      if (run == cat.parts.end()) continue;
      *run = earlier->node->output();
      cat.parts.erase(run + 1, run + static_cast<std::ptrdiff_t>(earlier->parts.size()));
      is_shorter = true;
    }
    return is_shorter;
  }

  Graph& graph_;
  Aliases aliases_;
  std::vector<Cat> changes_;
};

}  // namespace

void reuse_concatenations(Graph& graph, const Program& program) {
  Reuse reuse(graph, program);
  reuse.visit(graph.block());
  reuse.write();
}

}  // namespace fusekit::ir
