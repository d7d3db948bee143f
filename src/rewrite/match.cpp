#include "rewrite/match.h"

#include <unordered_set>

namespace fusekit::rewrite {
namespace {

/// Does this node read only what a fold leaves as it was: shape, dtype, device?
bool reads_only_metadata(const Node* node) {
  static const std::unordered_set<std::string> names = {
      "aten::dim",    "aten::size",    "aten::numel",  "aten::is_floating_point", "prim::dtype",
      "prim::device", "prim::is_cuda", "prim::layout", "prim::is_quantized",      "aten::len"};
  return names.count(node->kind().toQualString()) > 0;
}

bool writes(const Node* node) {
  const auto* schema = node->maybeSchema();
  return schema != nullptr && schema->is_mutable();
}

std::string name_in_words(const Node* node) {
  if (node->kind() == c10::prim::Return) return "the output of the method or block";
  const std::string scope = ir::scope_of(node);
  return fmt::format("{}{}", node->kind().toQualString(), scope.empty() ? "" : " in " + scope);
}

}  // namespace

std::optional<Site> match(const Pattern& pattern, Node* last) {
  Site site;
  Node* node = last;
  for (auto family = pattern.rbegin(); family != pattern.rend(); ++family) {
    if (!family->matches(node)) return std::nullopt;
    site.nodes.insert(site.nodes.begin(), node);
    if (std::next(family) != pattern.rend()) node = data_input(node)->node();
  }
  return site;
}

WhyNot something_else_reads(const Site& site, std::size_t index) {
  const Node* next = site.nodes.at(index + 1);
  int batch_norms = 0;
  const Node* reader = nullptr;
  for (const torch::jit::Use& use : site.nodes.at(index)->output()->uses()) {
    if (is_batch_norm(use.user)) ++batch_norms;
    if (use.user != next && !reads_only_metadata(use.user)) reader = use.user;
  }
  if (reader == nullptr) return std::nullopt;
  if (batch_norms > 1) return "two BatchNorms read what it computes";
  if (writes(reader)) return fmt::format("{} writes what it computes in place", name_in_words(reader));
  return fmt::format("{} reads what it computes, too", name_in_words(reader));
}

WhyNot stands_in_several_blocks(const Site& site) {
  for (const Node* node : site.nodes)
    if (node->owningBlock() != site.front()->owningBlock()) return "its parts stand in different branches or loops";
  return std::nullopt;
}

WhyNot first_of(std::initializer_list<WhyNot> reasons) {
  for (const WhyNot& reason : reasons)
    if (reason) return reason;
  return std::nullopt;
}

std::string where(const Node* node) {
  const std::string scope = ir::scope_of(node);
  return scope.empty() ? "the root module" : scope;
}

}  // namespace fusekit::rewrite
