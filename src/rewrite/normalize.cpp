#include "rewrite/normalize.h"

#include <unordered_set>

#include "ir/cleanup.h"
#include "ir/constants.h"
#include "ir/program.h"
#include "ir/ranks.h"

namespace fusekit::rewrite {
namespace {

using torch::jit::Node;

/// Dropout of any kind with training=False: it returns its input itself.
bool is_inactive_dropout(const Node* node) {
  static const std::unordered_set<std::string> names = {
      "aten::dropout",       "aten::dropout_",       "aten::feature_dropout",       "aten::feature_dropout_",
      "aten::alpha_dropout", "aten::alpha_dropout_", "aten::feature_alpha_dropout", "aten::feature_alpha_dropout_"};
  if (names.count(node->kind().toQualString()) == 0) return false;
  return ir::constant_bool(ir::argument(node, "train")) == false;
}

void drop_inactive_dropout(torch::jit::Graph& graph) {
  for (Node* node : ir::all_nodes(graph)) {
    if (!is_inactive_dropout(node)) continue;
    node->output()->replaceAllUsesWith(node->input(0));
    node->destroy();
  }
}

/// Answers "how many dimensions?" where the answer is proven; the checks that ask fall away with it.
void answer_rank_questions(torch::jit::Graph& graph) {
  const ir::RankFacts facts(graph);
  for (Node* node : ir::all_nodes(graph)) {
    const torch::jit::Value* source = ir::rank_source(node);
    const auto rank = source != nullptr ? facts.rank(source, node) : std::nullopt;
    if (!rank) continue;
    const torch::jit::WithInsertPoint guard(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(*rank));
  }
}

}  // namespace

void normalize(std::shared_ptr<torch::jit::Graph>& graph) {
  drop_inactive_dropout(*graph);
  answer_rank_questions(*graph);
  ir::propagate_constants(*graph);
  ir::remove_dead_code(*graph);
}

}  // namespace fusekit::rewrite
