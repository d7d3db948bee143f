#include "target/cpu/channel_shuffle.h"

#include "ir/constants.h"
#include "ir/program.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;
using torch::jit::Value;
using Shape = std::vector<std::int64_t>;

bool is_view(const Node* node) { return ir::is_operator(node, {"aten::view", "aten::reshape"}); }

/// Is this number, or list of numbers, worked out of constants and sizes of tensors alone?
bool is_of_sizes(const Value* value) {
  const Node* node = value->node();
  if (node->kind() == c10::prim::Constant || node->kind() == c10::aten::size) return true;
  if (!node->blocks().empty() || node->kind() == c10::prim::Param || node->inputs().empty()) return false;
  const auto is_number = [](const Value* input) {
    const auto kind = input->type()->kind();
    return kind == c10::TypeKind::IntType || kind == c10::TypeKind::ListType;
  };
  for (const Value* input : node->inputs()) {
    const bool is_size_of_it = node->kind() == c10::prim::NumToTensor || node->kind() == c10::aten::Int;
    if (!(is_number(input) || is_size_of_it) || !is_of_sizes(input)) return false;
  }
  return true;
}

class Finder {
 public:
  explicit Finder(inputs::ObservedTensors& observed) : observed_(observed) {}

  /// The groups of a shuffle that ends with `node`, and what it shuffles.
  [[nodiscard]] std::optional<std::pair<Value*, std::int64_t>> find(Node* node) const {
    if (!is_view(node) || !is_of_sizes(node->input(1))) return std::nullopt;
    Node* inner = node->input(0)->node();
    if (inner->kind() == c10::aten::contiguous && ir::constant_int(inner->input(1)) == 0)
      inner = inner->input(0)->node();
    if (!ir::is_operator(inner, {"aten::transpose"}) || ir::constant_int(inner->input(1)) != 1 ||
        ir::constant_int(inner->input(2)) != 2)
      return std::nullopt;
    Node* split = inner->input(0)->node();
    if (!is_view(split) || !is_of_sizes(split->input(1))) return std::nullopt;
    const auto whole = shape(split->input(0));
    const auto parts = shape(split->output());
    if (!whole || !parts || whole->size() != 4 || parts->size() != 5 || shape(node->output()) != whole)
      return std::nullopt;
    const Shape& w = *whole;
    const Shape& p = *parts;
    if (p[0] != w[0] || p[1] * p[2] != w[1] || p[3] != w[2] || p[4] != w[3]) return std::nullopt;
    return std::pair(split->input(0), p[1]);
  }

 private:
  [[nodiscard]] std::optional<Shape> shape(const Value* value) const { return inputs::seen(observed_, value).sizes; }

  inputs::ObservedTensors& observed_;
};

}  // namespace

void shuffle_channels(torch::jit::Graph& graph, inputs::ObservedTensors& observed) {
  for (Node* node : ir::all_nodes(graph)) {
    const auto found = Finder(observed).find(node);
    if (!found) continue;
    const torch::jit::WithInsertPoint guard(node);
    Value* shuffled = graph.insert(c10::Symbol::aten("native_channel_shuffle"), {found->first, found->second});
    shuffled->node()->copyMetadata(node);
    observed[shuffled->unique()] = observed[node->output()->unique()];
    node->output()->replaceAllUsesWith(shuffled);
    node->destroy();
  }
}

}  // namespace fusekit::target
