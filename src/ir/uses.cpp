#include "ir/uses.h"

#include <string_view>

#include "ir/constants.h"

namespace fusekit::ir {

bool reads_only_shape(const Node* node) {
  return is_operator(node, {"aten::dim", "aten::size", "aten::numel", "aten::len", "prim::device"});
}

bool reads_only_metadata(const Node* node) {
  return reads_only_shape(node) || is_operator(node, {"aten::is_floating_point", "prim::dtype", "prim::is_cuda",
                                                      "prim::layout", "prim::is_quantized"});
}

Node* only_user(const Value* value) { return value->uses().size() == 1 ? value->uses().front().user : nullptr; }

Node* only_reader(const Value* value) {
  Node* reader = nullptr;
  for (const torch::jit::Use& use : value->uses()) {
    if (reads_only_shape(use.user)) continue;
    if (reader != nullptr) return nullptr;
    reader = use.user;
  }
  return reader;
}

bool writes_in_place(const Node* node) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  return schema != nullptr && schema->is_mutable();
}

bool has_writes(const Node* node) {
  if (writes_in_place(node) || node->kind() == c10::prim::SetAttr) return true;
  for (const torch::jit::Block* block : node->blocks())
    for (const Node* inner : block->nodes())
      if (has_writes(inner)) return true;
  return false;
}

bool only_reads_list(const Node* node) {
  return node->kind() == c10::aten::cat || node->kind() == c10::aten::stack || node->kind() == c10::aten::len ||
         node->kind() == c10::aten::__getitem__ || node->kind() == c10::prim::ListUnpack;
}

/// Dropout that is off returns its input, which its schema does not say.
static bool is_dropout(const Node* node) {
  return std::string_view(node->kind().toUnqualString()).find("dropout") != std::string_view::npos;
}

bool has_own_memory(const Value* value) {
  const Node* node = value->node();
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr || node->outputs().size() != 1 || schema->returns().size() != 1) return false;
  return !is_dropout(node) && schema->returns()[0].alias_info() == nullptr;
}

bool makes_alias(const torch::jit::Use& use) {
  const c10::FunctionSchema* schema = use.user->maybeSchema();
  if (schema == nullptr || use.offset >= schema->arguments().size()) return true;
  return is_dropout(use.user) || schema->arguments()[use.offset].alias_info() != nullptr;
}

bool is_last_reader(const Value* value, const Node* reader) {
  const auto& uses = value->uses();
  return std::all_of(uses.begin(), uses.end(), [&](const torch::jit::Use& use) {
    if (use.user == reader || reads_only_metadata(use.user)) return true;
    if (!use.user->isBefore(reader)) return false;
    const bool is_view = use.user->outputs().size() == 1 && is_tensor(use.user->output()) && use.user->blocks().empty();
    return !makes_alias(use) || (is_view && is_last_reader(use.user->output(), reader));
  });
}

}  // namespace fusekit::ir
