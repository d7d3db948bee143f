#include "quantize/lower/functional.h"

#include <algorithm>

#include "ir/program.h"

namespace fusekit::quantize {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Use;
using torch::jit::Value;

/// "aten::relu" for "aten::relu_"; empty for what is no in-place operator.
std::string out_of_place_name(const Node* node) {
  const std::string name = node->kind().toQualString();
  const auto* schema = node->maybeSchema();
  if (!name.starts_with("aten::") || !name.ends_with("_") || name.ends_with("__")) return "";
  const bool writes_first = schema != nullptr && schema->is_mutable() && !schema->arguments().empty() &&
                            schema->arguments()[0].alias_info() != nullptr &&
                            schema->arguments()[0].alias_info()->isWrite() && node->outputs().size() == 1;
  return writes_first ? name.substr(0, name.size() - 1) : "";
}

/// Is this value memory of its own, as far as the operator's schema says?
bool is_fresh(const Value* value) {
  const Node* node = value->node();
  const auto* schema = node->maybeSchema();
  if (schema == nullptr || node->outputs().size() != 1 || schema->returns().size() != 1) return false;
  // Dropout that is off returns its input, which its schema does not say.
  const bool is_dropout = std::string_view(node->kind().toUnqualString()).find("dropout") != std::string_view::npos;
  return !is_dropout && schema->returns()[0].alias_info() == nullptr;
}

/// Might this use keep the memory in a value of another name?
bool makes_alias(const Use& use) {
  const auto* schema = use.user->maybeSchema();
  if (schema == nullptr || use.offset >= schema->arguments().size()) return true;
  return schema->arguments()[use.offset].alias_info() != nullptr;
}

bool is_private(const Value* written, const Node* writer) {
  if (!is_fresh(written) || written->node()->owningBlock() != writer->owningBlock()) return false;
  const auto& uses = written->uses();
  return std::all_of(uses.begin(), uses.end(), [&](const Use& use) {
    return use.user == writer || writer->isBefore(use.user) || !makes_alias(use);
  });
}

void replace(Node* node, const std::string& name) {
  Graph* graph = node->owningGraph();
  const torch::jit::WithInsertPoint guard(node);
  Node* pure = graph->create(c10::Symbol::fromQualString(name), node->inputs());
  pure->copyMetadata(node);
  if (pure->maybeSchema() == nullptr) {
    pure->destroy();
    return;
  }
  graph->insertNode(pure);
  Value* written = node->input(0);
  node->output()->replaceAllUsesWith(pure->output());
  written->replaceAllUsesAfterNodeWith(node, pure->output());
  node->destroy();
}

}  // namespace

bool only_reads_list(const Node* node) {
  return node->kind() == c10::aten::cat || node->kind() == c10::aten::stack || node->kind() == c10::aten::len ||
         node->kind() == c10::aten::__getitem__ || node->kind() == c10::prim::ListUnpack;
}

void make_functional(Graph& graph) {
  for (Node* node : ir::all_nodes(graph)) {
    const std::string name = out_of_place_name(node);
    if (!name.empty() && is_private(node->input(0), node)) replace(node, name);
  }
}

bool is_only_read_or_appended_to(const Value* list) {
  return std::all_of(list->uses().begin(), list->uses().end(), [&](const Use& use) {
    const Node* user = use.user;
    const bool appends = user->kind() == c10::aten::append && use.offset == 0 && !user->output()->hasUses();
    return user->owningBlock() == list->node()->owningBlock() && (appends || only_reads_list(user));
  });
}

void unroll_appends(Graph& graph) {
  for (Node* append : ir::all_nodes(graph)) {
    if (append->kind() != c10::aten::append) continue;
    Value* before = append->input(0);
    if (before->node()->kind() != c10::prim::ListConstruct || !is_only_read_or_appended_to(before)) continue;
    std::vector<Value*> elements = before->node()->inputs().vec();
    elements.push_back(append->input(1));
    const torch::jit::WithInsertPoint guard(append);
    Node* after = graph.insertNode(graph.create(c10::prim::ListConstruct, elements));
    after->output()->setType(before->type());
    after->copyMetadata(append);
    before->replaceAllUsesAfterNodeWith(append, after->output());
    append->destroy();
  }
}

void pick_list_elements(Graph& graph) {
  for (Node* node : ir::all_nodes(graph)) {
    if (node->kind() != c10::prim::ListUnpack || node->outputs().empty()) continue;
    if (node->input()->type()->kind() != c10::TypeKind::ListType) continue;
    const torch::jit::WithInsertPoint guard(node);
    for (std::size_t i = 0; i < node->outputs().size(); ++i) {
      Value* element = graph.insert(c10::aten::__getitem__, {node->input(), static_cast<std::int64_t>(i)});
      element->node()->copyMetadata(node);
      node->output(i)->replaceAllUsesWith(element);
    }
    node->destroy();
  }
}

}  // namespace fusekit::quantize
