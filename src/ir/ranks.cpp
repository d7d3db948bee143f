#include "ir/ranks.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "ir/operators.h"
#include "ir/operators/output_rank.h"
#include "ir/program.h"
#include "ir/uses.h"

namespace fusekit::ir {
namespace {

using torch::jit::Node;
using torch::jit::Value;

/// Operators that change the rank of a tensor where it stands: every name of it changes with it.
const std::unordered_set<std::string>& rank_changers_in_place() {
  static const std::unordered_set<std::string> names = {"aten::resize_",   "aten::resize_as_", "aten::set_",
                                                        "aten::squeeze_",  "aten::unsqueeze_", "aten::as_strided_",
                                                        "aten::unflatten_"};
  return names;
}

/// Is `value` a tensor, or a list of tensors that stays as it was made?
bool has_rank(const Value* value) {
  if (is_tensor(value)) return true;
  if (*value->type() != *c10::ListType::ofTensors()) return false;
  const auto& uses = value->uses();
  return std::all_of(uses.begin(), uses.end(), [](const torch::jit::Use& use) { return only_reads_list(use.user); });
}

}  // namespace

const Value* rank_source(const Node* node) {
  const std::string name = node->kind().toQualString();
  if (name == "aten::dim") return node->input(0);
  if (name != "aten::len" || node->input(0)->node()->kind() != c10::aten::size) return nullptr;
  const Node* size = node->input(0)->node();
  return size->inputs().size() == 1 ? size->input(0) : nullptr;
}

RankFacts::RankFacts(torch::jit::Graph& graph) {
  const std::vector<Node*> nodes = all_nodes(graph);
  const bool certain = std::none_of(nodes.begin(), nodes.end(), [](const Node* node) {
    return rank_changers_in_place().count(node->kind().toQualString()) > 0;
  });
  if (certain) visit(graph.block());
}

std::optional<std::int64_t> RankFacts::rank(const Value* value, const Node* at) const {
  Known known;
  return rank(value, at, known);
}

std::optional<std::int64_t> RankFacts::rank(const Value* value, const Node* at, Known& known) const {
  const auto found = classes_.find(value->unique());
  if (found == classes_.end()) return std::nullopt;
  const int root = find(found->second);
  for (const Fact& fact : facts_[root])
    if (fact.since == nullptr || (fact.since != at && at->isDominatedBy(fact.since))) return fact.rank;
  const auto [entry, is_new] = known.try_emplace({root, at});
  if (is_new) {
    const auto result = computed(first_[root], at, known);
    known[{root, at}] = result;
    return result;
  }
  return entry->second;
}

/// The rank of a class's first value by its operator. All that it is computed from has run where `at` runs.
std::optional<std::int64_t> RankFacts::computed(const Value* first, const Node* at, Known& known) const {
  Node* node = const_cast<Node*>(first->node());
  if (node->kind() == c10::prim::If) {
    const auto of_branch = [&](const torch::jit::Block* branch) {
      return rank(branch->outputs().at(first->offset()), branch->return_node(), known);
    };
    const auto a = of_branch(node->blocks().at(0));
    return a && a == of_branch(node->blocks().at(1)) ? a : std::nullopt;
  }
  const std::vector<Value*> operands = broadcast_inputs(node);
  if (operands.empty()) return output_rank(first, [&](const Value* input) { return rank(input, at, known); });
  std::int64_t largest = 0;
  for (const Value* operand : operands) {
    const auto own = rank(operand, at, known);
    if (!own) return std::nullopt;
    largest = std::max(largest, *own);
  }
  return largest;
}

void RankFacts::learn(const Value* value, std::int64_t rank, const Node* since) {
  facts_.at(find(class_of(value))).push_back({rank, since});
}

int RankFacts::class_of(const Value* value) {
  const auto [entry, is_new] = classes_.emplace(value->unique(), static_cast<int>(parent_.size()));
  if (is_new) {
    parent_.push_back(entry->second);
    facts_.emplace_back();
    first_.push_back(value);
  }
  return entry->second;
}

int RankFacts::find(int index) const {
  while (parent_[index] != index) index = parent_[index] = parent_[parent_[index]];
  return index;
}

/// `a` has the rank of `b`, whatever that is, wherever it is computed: b's class has the first value of both.
void RankFacts::join(const Value* a, const Value* b) {
  const int from = find(class_of(a));
  const int to = find(class_of(b));
  if (from == to) return;
  parent_[from] = to;
  facts_[to].insert(facts_[to].end(), facts_[from].begin(), facts_[from].end());
  facts_[from].clear();
}

bool RankFacts::same(const Value* a, const Value* b) { return find(class_of(a)) == find(class_of(b)); }

/// What has the rank of several inputs where these have one rank.
void RankFacts::join_if_same(const Value* output, const std::vector<Value*>& inputs) {
  if (inputs.empty()) return;
  const auto as_first = [&](const Value* input) { return same(input, inputs.front()); };
  if (std::all_of(inputs.begin(), inputs.end(), as_first)) join(output, inputs.front());
}

void RankFacts::visit(torch::jit::Block* block) {
  for (Node* node : block->nodes()) {
    for (torch::jit::Block* inner : node->blocks()) visit(inner);
    visit(node);
  }
}

void RankFacts::visit(Node* node) {
  for (const Value* output : node->outputs())
    if (has_rank(output)) class_of(output);
  if (node->kind() == c10::prim::If) return visit_branches(node);
  if (node->kind() == c10::prim::Loop) return visit_loop(node);
  const std::vector<Value*> keepers = outputs_of_first_rank(node);
  for (const Value* output : keepers)
    if (has_rank(output) && has_rank(node->input(0))) join(output, node->input(0));
  if (keepers.empty() && node->outputs().size() == 1 && has_rank(node->output())) {
    join_if_same(node->output(), broadcast_inputs(node));
    if (node->kind() == c10::prim::ListConstruct) join_if_same(node->output(), node->inputs().vec());
    if (as_concat(node) && has_rank(node->input(0))) join(node->output(), node->input(0));
  }
  visit_strict_layer(node);
}

/// Layers that raise on data of another rank than theirs.
void RankFacts::visit_strict_layer(Node* node) {
  if (const auto convolution = as_convolution(node); convolution && convolution->checks_rank) {
    const auto weight = constant(convolution->weight);
    if (weight && weight->isTensor()) learn(node->output(), weight->toTensor().dim(), node);
  } else if (is_operator(node, {"aten::addmm", "aten::mm"})) {
    learn(node->kind() == c10::aten::mm ? node->input(0) : node->input(1), 2, node);
  }
}

void RankFacts::visit_branches(const Node* node) {
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    const Value* a = node->blocks().at(0)->outputs().at(i);
    const Value* b = node->blocks().at(1)->outputs().at(i);
    if (has_rank(node->outputs()[i]) && is_tensor(a) && is_tensor(b) && same(a, b)) join(node->outputs()[i], a);
  }
}

/// A carried value whose rank the body keeps.
void RankFacts::visit_loop(const Node* node) {
  const torch::jit::Block* body = node->blocks().at(0);
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    const Value* before = body->inputs()[i + 1];
    if (!is_tensor(before) || !is_tensor(node->outputs()[i]) || !same(before, body->outputs()[i + 1])) continue;
    join(before, node->inputs()[i + 2]);
    join(node->outputs()[i], before);
  }
}

}  // namespace fusekit::ir
