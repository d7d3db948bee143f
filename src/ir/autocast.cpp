#include "ir/autocast.h"

#include <algorithm>

#include "ir/constants.h"
#include "ir/program.h"

namespace fusekit::ir {
namespace {

/// Enters or leaves this node an autocast?
bool is_border(const Node* node) {
  if (node->kind() != c10::prim::Enter && node->kind() != c10::prim::Exit) return false;
  const auto type = node->input(0)->type()->cast<c10::ClassType>();
  return type && type->name() && type->name()->name() == "autocast";
}

bool is_on(const Value* autocast) {
  return std::none_of(autocast->uses().begin(), autocast->uses().end(), [](const torch::jit::Use& use) {
    return use.user->kind() == c10::prim::SetAttr && use.offset == 0 && use.user->s(c10::attr::name) == "_enabled" &&
           constant_bool(use.user->input(1)) == false;
  });
}

/// The innermost autocast that is open where `node` stands in its block; nullptr for none that begins in this block.
const Value* innermost_in_block(const Node* node) {
  std::size_t closed = 0;
  for (const Node* before = node->prev(); before->kind() != c10::prim::Return && before->kind() != c10::prim::Param;
       before = before->prev()) {
    if (!is_border(before)) continue;
    if (before->kind() == c10::prim::Exit) {
      ++closed;
    } else if (closed == 0) {
      return before->input(0);
    } else {
      --closed;
    }
  }
  return nullptr;
}

}  // namespace

bool has_autocast(const Graph& graph) {
  const auto nodes = all_nodes(graph);
  return std::any_of(nodes.begin(), nodes.end(), is_border);
}

bool is_under_autocast(const Node* node) {
  for (; node != nullptr; node = node->owningBlock()->owningNode())
    if (const Value* autocast = innermost_in_block(node)) return is_on(autocast);
  return false;
}

}  // namespace fusekit::ir
