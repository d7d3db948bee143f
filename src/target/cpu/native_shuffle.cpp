#include "target/cpu/native_shuffle.h"

#include "ir/operators.h"
#include "ir/program.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;
using torch::jit::Value;
using Shape = std::vector<std::int64_t>;

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

/// The groups of what is a shuffle with the shapes of `observed`.
std::optional<std::int64_t> groups_of(const ir::ChannelShuffle& shuffle, const inputs::ObservedTensors& observed) {
  if (!is_of_sizes(shuffle.node->input(1)) || !is_of_sizes(shuffle.split->input(1))) return std::nullopt;
  const auto shape = [&](const Value* value) { return inputs::seen(observed, value).sizes; };
  const auto whole = shape(shuffle.input);
  const auto parts = shape(shuffle.split->output());
  if (!whole || !parts || whole->size() != 4 || parts->size() != 5 || shape(shuffle.node->output()) != whole)
    return std::nullopt;
  const Shape& w = *whole;
  const Shape& p = *parts;
  if (p[0] != w[0] || p[1] * p[2] != w[1] || p[3] != w[2] || p[4] != w[3]) return std::nullopt;
  return p[1];
}

}  // namespace

void shuffle_channels(torch::jit::Graph& graph, inputs::ObservedTensors& observed) {
  for (Node* node : ir::all_nodes(graph)) {
    const auto written_out = ir::as_channel_shuffle(node);
    const auto groups = written_out ? groups_of(*written_out, observed) : std::nullopt;
    if (!groups) continue;
    const torch::jit::WithInsertPoint guard(node);
    Value* shuffled = graph.insert(c10::Symbol::aten("native_channel_shuffle"), {written_out->input, *groups});
    shuffled->node()->copyMetadata(node);
    observed[shuffled->unique()] = observed[node->output()->unique()];
    node->output()->replaceAllUsesWith(shuffled);
    node->destroy();
  }
}

}  // namespace fusekit::target
