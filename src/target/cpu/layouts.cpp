#include "target/cpu/layouts.h"

#include <algorithm>
#include <set>
#include <string>

#include "ir/constants.h"
#include "ir/operators/activation.h"
#include "ir/operators/dtype_conversion.h"
#include "ir/program.h"
#include "ir/uses.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;
using torch::jit::Value;

/// Operators that raise for some layouts.
bool needs_a_layout(const Node* node) {
  static const std::set<std::string> names = {"aten::view",      "aten::_unsafe_view", "aten::view_as",
                                              "aten::unflatten", "aten::view_as_real", "aten::view_as_complex"};
  return names.count(node->kind().toQualString()) > 0;
}

/// Operators that give other numbers for another layout. Random ones are drawn in the order of the memory.
bool tells_layouts_apart(const Node* node) {
  if (node->isNondeterministic()) return true;
  static const std::set<std::string> names = {"aten::as_strided", "aten::as_strided_", "aten::stride",
                                              "aten::is_contiguous", "aten::storage_offset"};
  return names.count(node->kind().toQualString()) > 0;
}

bool is_of_libtorch(const Node* node) {
  static const std::set<std::string> namespaces = {"aten", "prim", "mkldnn", "mkl", "quantized", "onednn"};
  return namespaces.count(node->kind().ns().toUnqualString()) > 0;
}

/// Might it do something else for data that lies otherwise, but raise?
bool sees_layouts(const Node* node) { return tells_layouts_apart(node) || !is_of_libtorch(node); }

bool is_written(const Value* value) {
  const auto& uses = value->uses();
  return std::any_of(uses.begin(), uses.end(), [](const auto& use) { return ir::writes_in_place(use.user); });
}

/// view(x, size) as reshape(x, size).
bool reshape_instead(Node* node) {
  if (node->kind() != c10::aten::view || ir::argument(node, "size") == nullptr || is_written(node->output()))
    return false;
  torch::jit::Graph& graph = *node->owningGraph();
  const torch::jit::WithInsertPoint guard(node);
  Value* reshaped = graph.insert(c10::aten::reshape, {node->input(0), node->input(1)});
  reshaped->node()->copyMetadata(node);
  node->output()->replaceAllUsesWith(reshaped);
  node->destroy();
  return true;
}

/// What was not contiguous before is not on the fast road either: the network asked for its layout.
void give_contiguous(Node* node, const inputs::ObservedTensors& observed) {
  torch::jit::Graph& graph = *node->owningGraph();
  const torch::jit::WithInsertPoint guard(node);
  for (std::size_t i = 0; i < node->inputs().size(); ++i) {
    Value* input = node->input(i);
    const bool is_as_given = input->node()->kind() == c10::prim::Constant || input->node()->kind() == c10::prim::Param;
    if (!ir::is_tensor(input) || is_as_given || is_written(input)) continue;
    if (!inputs::seen(observed, input).is_contiguous.value_or(true)) continue;
    Value* contiguous = graph.insert(c10::aten::contiguous, {input});
    contiguous->node()->copyMetadata(node);
    node->replaceInput(i, contiguous);
  }
}

}  // namespace

bool keeps_layout(const Node* node) {
  static const std::set<std::string> names = {"aten::max_pool2d",
                                              "aten::avg_pool2d",
                                              "aten::adaptive_avg_pool2d",
                                              "aten::adaptive_max_pool2d",
                                              "aten::upsample_nearest2d",
                                              "aten::upsample_bilinear2d",
                                              "aten::batch_norm",
                                              "aten::dropout",
                                              "aten::addcmul",
                                              "aten::native_channel_shuffle"};
  return !node->inputs().empty() &&
         (names.count(node->kind().toQualString()) > 0 || ir::as_activation(const_cast<Node*>(node)).has_value() ||
          ir::as_conversion(const_cast<Node*>(node)).has_value());
}

bool looks_at_memory(torch::jit::Graph& graph) {
  const auto nodes = ir::all_nodes(graph);
  return std::any_of(nodes.begin(), nodes.end(), sees_layouts);
}

void read_any_layout(torch::jit::Graph& graph, const inputs::ObservedTensors& observed) {
  for (Node* node : ir::all_nodes(graph)) {
    if (reshape_instead(node)) continue;
    if (needs_a_layout(node) || sees_layouts(node)) give_contiguous(node, observed);
  }
}

}  // namespace fusekit::target
