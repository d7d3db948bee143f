#include "ir/ranks.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "ir/operators.h"
#include "ir/program.h"

namespace fusekit::ir {
namespace {

using torch::jit::Node;
using torch::jit::Value;

/// Further operators whose output has the rank of their first input.
bool keeps_rank_by_name(const Node* node) {
  static const std::unordered_set<std::string> names = {"aten::instance_norm",
                                                        "aten::group_norm",
                                                        "aten::layer_norm",
                                                        "aten::softmax",
                                                        "aten::log_softmax",
                                                        "aten::reflection_pad1d",
                                                        "aten::reflection_pad2d",
                                                        "aten::replication_pad2d",
                                                        "aten::pad",
                                                        "aten::constant_pad_nd",
                                                        "aten::contiguous",
                                                        "aten::clone",
                                                        "aten::detach",
                                                        "aten::dropout",
                                                        "aten::dropout_",
                                                        "aten::feature_dropout",
                                                        "aten::to",
                                                        "aten::transpose",
                                                        "aten::channel_shuffle",
                                                        "aten::slice",
                                                        "aten::neg",
                                                        "aten::exp",
                                                        "aten::sqrt",
                                                        "aten::abs",
                                                        "aten::flip",
                                                        "aten::roll",
                                                        "aten::narrow"};
  return names.count(node->kind().toQualString()) > 0;
}

/// Has the output the rank of the first input, whatever that is?
bool keeps_rank(Node* node) {
  return as_convolution(node) || is_operator(node, {"aten::linear"}) || as_batch_norm(node) || as_activation(node) ||
         as_pool(node) || as_upsample(node) || keeps_rank_by_name(node);
}

/// Operators that change the rank of a tensor where it stands: every name of it changes with it.
const std::unordered_set<std::string>& rank_changers_in_place() {
  static const std::unordered_set<std::string> names = {"aten::resize_",   "aten::resize_as_", "aten::set_",
                                                        "aten::squeeze_",  "aten::unsqueeze_", "aten::as_strided_",
                                                        "aten::unflatten_"};
  return names;
}

/// The length of a list that is built where it stands or is a constant.
std::optional<std::int64_t> list_length(const Value* value) {
  if (value->node()->kind() == c10::prim::ListConstruct) return value->node()->inputs().size();
  const auto stored = constant(value);
  return stored && stored->isList() ? std::optional<std::int64_t>(stored->toListRef().size()) : std::nullopt;
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
  if (!certain) return;
  for (Node* node : nodes) visit(node);
}

std::optional<std::int64_t> RankFacts::rank(const Value* value, const Node* at) const {
  const auto found = classes_.find(value);
  if (found == classes_.end()) return std::nullopt;
  for (const Fact& fact : facts_.at(find(found->second)))
    if (fact.since == nullptr || (fact.since != at && at->isDominatedBy(fact.since))) return fact.rank;
  return std::nullopt;
}

void RankFacts::learn(const Value* value, std::int64_t rank, const Node* since) {
  facts_.at(find(class_of(value))).push_back({rank, since});
}

int RankFacts::class_of(const Value* value) {
  const auto [entry, is_new] = classes_.emplace(value, static_cast<int>(parent_.size()));
  if (is_new) {
    parent_.push_back(entry->second);
    facts_.emplace_back();
  }
  return entry->second;
}

int RankFacts::find(int index) const {
  while (parent_[index] != index) index = parent_[index] = parent_[parent_[index]];
  return index;
}

void RankFacts::join(const Value* a, const Value* b) {
  const int from = find(class_of(a));
  const int to = find(class_of(b));
  if (from == to) return;
  parent_[from] = to;
  facts_[to].insert(facts_[to].end(), facts_[from].begin(), facts_[from].end());
  facts_[from].clear();
}

void RankFacts::visit(Node* node) {
  if (keeps_rank(node)) join(node->output(), node->input(0));
  visit_strict_convolution(node);
  visit_shape_changes(node);
  visit_arithmetic(node);
  visit_branches(node);
}

void RankFacts::visit_strict_convolution(Node* node) {
  const auto convolution = as_convolution(node);
  if (!convolution || !convolution->checks_rank) return;
  const auto weight = constant(convolution->weight);
  if (weight && weight->isTensor()) learn(node->output(), weight->toTensor().dim(), node);
}

void RankFacts::visit_branches(const Node* node) {
  // Both branches of an If must agree for certain.
  if (node->kind() != c10::prim::If) return;
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    const Value* a = node->blocks().at(0)->outputs().at(i);
    const Value* b = node->blocks().at(1)->outputs().at(i);
    if (!a->type()->isSubtypeOf(*c10::TensorType::get()) || !b->type()->isSubtypeOf(*c10::TensorType::get())) continue;
    if (find(class_of(a)) == find(class_of(b))) join(node->outputs().at(i), a);
  }
}

void RankFacts::visit_shape_changes(const Node* node) {
  const std::string name = node->kind().toQualString();
  if ((name == "aten::view" || name == "aten::reshape" || name == "aten::permute") && node->inputs().size() == 2) {
    if (const auto length = list_length(node->input(1))) learn(node->output(), *length, nullptr);
  } else if (name == "aten::flatten" && node->inputs().size() == 3) {
    // flatten(1, -1) raises on fewer than two dimensions, so that what it returns has two.
    if (constant_int(node->input(1)) == 1 && constant_int(node->input(2)) == -1) learn(node->output(), 2, nullptr);
  } else if (name == "aten::addmm" || name == "aten::mm") {
    learn(node->output(), 2, nullptr);
    learn(node->input(name == "aten::mm" ? 0 : 1), 2, nullptr);
  }
}

void RankFacts::visit_arithmetic(Node* node) {
  if (const auto arithmetic = as_arithmetic(node)) {
    const bool same = is_tensor(arithmetic->b) && find(class_of(arithmetic->a)) == find(class_of(arithmetic->b));
    if (is_tensor(node->output()) && (!is_tensor(arithmetic->b) || same)) join(node->output(), arithmetic->a);
  } else if (const auto concat = as_concat(node)) {
    for (const Value* part : concat->parts()) join(node->output(), part);
  }
}

}  // namespace fusekit::ir
