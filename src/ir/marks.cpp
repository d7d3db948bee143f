#include "ir/marks.h"

#include "ir/program.h"

namespace fusekit::ir {
namespace {

const c10::Symbol kWeight = c10::Symbol::attr("fusekit_weight");
const c10::Symbol kGroup = c10::Symbol::attr("fusekit_group");
const c10::Symbol kInPlace = c10::Symbol::attr("fusekit_in_place");

void remove(Node* node, c10::Symbol mark) {
  if (node->hasAttribute(mark)) node->removeAttribute(mark);
}

}  // namespace

std::optional<std::string> weight_mark(const Node* node) {
  return node->hasAttribute(kWeight) ? std::optional(node->s(kWeight)) : std::nullopt;
}

void set_weight_mark(Node* node, const std::string& key) { node->s_(kWeight, key); }

std::optional<std::int64_t> group_of(const Node* node) {
  return node->hasAttribute(kGroup) ? std::optional(node->i(kGroup)) : std::nullopt;
}

void set_group(Node* node, std::int64_t group) { node->i_(kGroup, group); }

bool was_in_place(const Node* node) { return node->hasAttribute(kInPlace); }

void set_was_in_place(Node* node) { node->i_(kInPlace, 1); }

void forget_in_place(Node* node) { remove(node, kInPlace); }

void copy_group(const Node* from, Node* to) {
  if (const auto group = group_of(from)) set_group(to, *group);
}

void remove_operator_marks(Graph& graph) {
  for (Node* node : all_nodes(graph)) {
    remove(node, kGroup);
    remove(node, kInPlace);
  }
}

}  // namespace fusekit::ir
