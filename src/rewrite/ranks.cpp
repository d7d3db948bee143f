#include "rewrite/ranks.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <string>
#include <unordered_set>

#include "ir/program.h"

namespace fusekit::rewrite {
namespace {

using torch::jit::Node;
using torch::jit::Value;

/// Operators whose output has the rank of their first input.
const std::unordered_set<std::string>& rank_keepers() {
  static const std::unordered_set<std::string> names = {"aten::conv1d",
                                                        "aten::conv2d",
                                                        "aten::conv3d",
                                                        "aten::_convolution",
                                                        "aten::convolution",
                                                        "aten::_convolution_mode",
                                                        "aten::conv_transpose1d",
                                                        "aten::conv_transpose2d",
                                                        "aten::conv_transpose3d",
                                                        "aten::linear",
                                                        "aten::batch_norm",
                                                        "aten::instance_norm",
                                                        "aten::group_norm",
                                                        "aten::layer_norm",
                                                        "aten::relu",
                                                        "aten::relu_",
                                                        "aten::relu6",
                                                        "aten::relu6_",
                                                        "aten::hardtanh",
                                                        "aten::hardtanh_",
                                                        "aten::hardswish",
                                                        "aten::hardswish_",
                                                        "aten::hardsigmoid",
                                                        "aten::hardsigmoid_",
                                                        "aten::silu",
                                                        "aten::silu_",
                                                        "aten::sigmoid",
                                                        "aten::sigmoid_",
                                                        "aten::tanh",
                                                        "aten::tanh_",
                                                        "aten::gelu",
                                                        "aten::elu",
                                                        "aten::elu_",
                                                        "aten::leaky_relu",
                                                        "aten::leaky_relu_",
                                                        "aten::prelu",
                                                        "aten::mish",
                                                        "aten::softplus",
                                                        "aten::softmax",
                                                        "aten::log_softmax",
                                                        "aten::clamp",
                                                        "aten::clamp_",
                                                        "aten::max_pool1d",
                                                        "aten::max_pool2d",
                                                        "aten::max_pool3d",
                                                        "aten::avg_pool1d",
                                                        "aten::avg_pool2d",
                                                        "aten::avg_pool3d",
                                                        "aten::adaptive_avg_pool1d",
                                                        "aten::adaptive_avg_pool2d",
                                                        "aten::adaptive_avg_pool3d",
                                                        "aten::adaptive_max_pool1d",
                                                        "aten::adaptive_max_pool2d",
                                                        "aten::constant_pad_nd",
                                                        "aten::pad",
                                                        "aten::reflection_pad1d",
                                                        "aten::reflection_pad2d",
                                                        "aten::replication_pad2d",
                                                        "aten::upsample_nearest2d",
                                                        "aten::upsample_bilinear2d",
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
  return names;
}

/// Operators that change the rank of a tensor where it stands: every name of it changes with it.
const std::unordered_set<std::string>& rank_changers_in_place() {
  static const std::unordered_set<std::string> names = {"aten::resize_",   "aten::resize_as_", "aten::set_",
                                                        "aten::squeeze_",  "aten::unsqueeze_", "aten::as_strided_",
                                                        "aten::unflatten_"};
  return names;
}

std::optional<std::int64_t> constant_int(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isInt() ? std::optional(constant->toInt()) : std::nullopt;
}

/// The length of a list that is built where it stands or is a constant.
std::optional<std::int64_t> list_length(const Value* value) {
  if (value->node()->kind() == c10::prim::ListConstruct) return value->node()->inputs().size();
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isList() ? std::optional<std::int64_t>(constant->toListRef().size()) : std::nullopt;
}

}  // namespace

const Value* rank_source(const Node* node) {
  const std::string name = node->kind().toQualString();
  if (name == "aten::dim") return node->input(0);
  if (name != "aten::len" || node->input(0)->node()->kind() != c10::aten::size) return nullptr;
  const Node* size = node->input(0)->node();
  return size->inputs().size() == 1 ? size->input(0) : nullptr;
}

RankFacts::RankFacts(const torch::jit::Graph& graph) {
  const std::vector<Node*> nodes = ir::all_nodes(graph);
  const bool certain = std::none_of(nodes.begin(), nodes.end(), [](const Node* node) {
    return rank_changers_in_place().count(node->kind().toQualString()) > 0;
  });
  if (!certain) return;
  for (const Node* node : nodes) visit(node);
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

void RankFacts::visit(const Node* node) {
  if (rank_keepers().count(node->kind().toQualString()) > 0) join(node->output(), node->input(0));
  visit_strict_convolution(node);
  visit_shape_changes(node);
  visit_addition(node);
  visit_branches(node);
}

void RankFacts::visit_strict_convolution(const Node* node) {
  // Unlike conv1d, conv2d, ... these raise where data and weight have different ranks.
  static const std::unordered_set<std::string> names = {"aten::_convolution", "aten::convolution",
                                                        "aten::_convolution_mode"};
  if (names.count(node->kind().toQualString()) == 0 || node->maybeSchema() == nullptr) return;
  const auto weight = torch::jit::toIValue(node->namedInput("weight"));
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

void RankFacts::visit_addition(const Node* node) {
  const std::string name = node->kind().toQualString();
  const bool adds = name == "aten::add" || name == "aten::add_" || name == "aten::mul" || name == "aten::mul_" ||
                    name == "aten::sub" || name == "aten::div";
  if (adds && node->inputs().size() >= 2 && node->output()->type()->isSubtypeOf(*c10::TensorType::get())) {
    const Value* b = node->input(1);
    const bool is_tensor = b->type()->isSubtypeOf(*c10::TensorType::get());
    if (!is_tensor || find(class_of(node->input(0))) == find(class_of(b))) join(node->output(), node->input(0));
  } else if (name == "aten::cat" && node->input(0)->node()->kind() == c10::prim::ListConstruct) {
    for (const Value* part : node->input(0)->node()->inputs()) join(node->output(), part);
  }
}

}  // namespace fusekit::rewrite
