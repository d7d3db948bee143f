#include "ir/functional.h"

#include <algorithm>

#include "ir/marks.h"
#include "ir/operators.h"
#include "ir/program.h"

namespace fusekit::ir {
namespace {

using torch::jit::Use;

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

bool owns_memory(const Value* value);

/// Does a block make the memory of `value` and let nobody else have it but the block's only output of it? Views are
/// looked through: what a view is of has to be made there, too.
bool is_made_in_block(const Value* value, const Block* block) {
  const Node* node = value->node();
  if (node->owningBlock() != block || node->kind() == c10::prim::Param) return false;
  const auto& uses = value->uses();
  const auto names_it = [](const Use& use) { return use.user->kind() == c10::prim::Return || makes_alias(use); };
  if (std::count_if(uses.begin(), uses.end(), names_it) != 1) return false;
  if (owns_memory(value)) return true;
  const bool is_view = node->maybeSchema() != nullptr && !writes_in_place(node) && node->outputs().size() == 1 &&
                       !node->inputs().empty() && makes_alias({const_cast<Node*>(node), 0});
  return is_view && is_made_in_block(node->input(0), block);
}

/// Is this value memory of its own, be it made in the branches of an if?
bool owns_memory(const Value* value) {
  if (has_own_memory(value)) return true;
  const Node* node = value->node();
  if (node->kind() != c10::prim::If) return false;
  const auto& blocks = node->blocks();
  return std::all_of(blocks.begin(), blocks.end(),
                     [&](const Block* block) { return is_made_in_block(block->outputs()[value->offset()], block); });
}

/// Is what `writer` writes seen by itself and later nodes alone, under the name `written`?
bool is_private(const Value* written, const Node* writer) {
  if (!owns_memory(written) || written->node()->owningBlock() != writer->owningBlock()) return false;
  const auto& uses = written->uses();
  return std::all_of(uses.begin(), uses.end(), [&](const Use& use) {
    return use.user == writer || writer->isBefore(use.user) || !makes_alias(use);
  });
}

/// The node with another operator of the same arguments in its place; nullptr where there is no such operator.
Node* replaced(Node* node, const std::string& name) {
  Graph* graph = node->owningGraph();
  const torch::jit::WithInsertPoint guard(node);
  Node* other = graph->create(c10::Symbol::fromQualString(name), node->inputs());
  other->copyMetadata(node);
  copy_group(node, other);
  if (other->maybeSchema() == nullptr) {
    other->destroy();
    return nullptr;
  }
  graph->insertNode(other);
  other->output()->setType(node->output()->type());
  return other;
}

void make_functional(Node* node, const std::string& name) {
  Value* written = node->input(0);
  Node* pure = replaced(node, name);
  if (pure == nullptr) return;
  set_was_in_place(pure);
  node->output()->replaceAllUsesWith(pure->output());
  written->replaceAllUsesAfterNodeWith(node, pure->output());
  node->destroy();
}

/// Does the node end a group with an activation that may change its input's values where they stand?
bool ends_a_group(Node* node) {
  const auto activation = as_activation(node);
  return group_of(node) && activation && activation->kind->keeps_dtype;
}

bool may_work_in_place(Node* node) {
  if (!(was_in_place(node) || ends_a_group(node)) || node->inputs().empty()) return false;
  const Value* input = node->input(0);
  return owns_memory(input) && input->node()->owningBlock() == node->owningBlock() && is_last_reader(input, node);
}

bool is_only_read_or_appended_to(const Value* list) {
  return std::all_of(list->uses().begin(), list->uses().end(), [&](const Use& use) {
    const Node* user = use.user;
    const bool appends = user->kind() == c10::aten::append && use.offset == 0 && !user->output()->hasUses();
    return user->owningBlock() == list->node()->owningBlock() && (appends || only_reads_list(user));
  });
}

}  // namespace

void make_functional(Graph& graph) {
  for (Node* node : all_nodes(graph)) {
    const std::string name = out_of_place_name(node);
    if (!name.empty() && is_private(node->input(0), node)) make_functional(node, name);
  }
}

void make_in_place(Graph& graph) {
  std::vector<Node*> nodes = all_nodes(graph);
  std::erase_if(nodes, [](Node* node) { return !may_work_in_place(node); });  // while all of them still are functional
  for (Node* node : nodes) {
    Node* in_place = replaced(node, node->kind().toQualString() + std::string("_"));
    if (in_place == nullptr) continue;
    node->output()->replaceAllUsesWith(in_place->output());
    node->destroy();
  }
}

void unroll_appends(Graph& graph) {
  for (Node* append : all_nodes(graph)) {
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
  for (Node* node : all_nodes(graph)) {
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

}  // namespace fusekit::ir
