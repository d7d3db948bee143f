#include "rewrite/match.h"

namespace fusekit::rewrite {
namespace {

/// The value that a node of a pattern transforms.
Value* data_input(Node* node) {
  const auto linear = ir::as_linear(node);
  return linear ? linear->input : node->input(0);
}

Reason reads(const Node* reader) {
  if (reader->kind() == c10::prim::Return) return ReasonCode::read_by_output;
  const std::string scope = ir::scope_of(reader);
  const bool writes = ir::writes_in_place(reader);
  if (scope.empty())
    return {writes ? ReasonCode::written_by_another : ReasonCode::read_by_another, reader->kind().toQualString()};
  return {writes ? ReasonCode::written_by_another_in : ReasonCode::read_by_another_in, reader->kind().toQualString(),
          scope};
}

}  // namespace

Family convolution() {
  return {"convolution", [](Node* node) {
            const auto found = ir::as_convolution(node);
            return found && !found->transposed;
          }};
}

Family transposed_convolution() {
  return {"transposed convolution", [](Node* node) {
            const auto found = ir::as_convolution(node);
            return found && found->transposed;
          }};
}

Family linear() {
  return {"linear", [](Node* node) { return ir::as_linear(node).has_value(); }};
}

Family batch_norm() {
  return {"BatchNorm", [](Node* node) { return ir::as_batch_norm(node).has_value(); }};
}

Family zero_pad() {
  return {"zero padding", [](Node* node) { return ir::as_pad(node).has_value(); }};
}

Family permutation() {
  return {"permutation", [](Node* node) { return ir::as_permutation(node).has_value(); }};
}

Family activation(const ir::ActivationKind& kind) {
  return {kind.name, [op = kind.op](Node* node) {
            const auto found = ir::as_activation(node);
            return found && found->kind->op == op;
          }};
}

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

Reason something_else_reads(const Site& site, std::size_t index) {
  const Node* next = site.nodes.at(index + 1);
  int batch_norms = 0;
  const Node* reader = nullptr;
  for (const torch::jit::Use& use : site.nodes.at(index)->output()->uses()) {
    if (ir::as_batch_norm(use.user)) ++batch_norms;
    if (use.user != next && !ir::reads_only_metadata(use.user)) reader = use.user;
  }
  if (reader == nullptr) return {};
  return batch_norms > 1 ? Reason(ReasonCode::two_batch_norms) : reads(reader);
}

Reason stands_in_several_blocks(const Site& site) {
  for (const Node* node : site.nodes)
    if (node->owningBlock() != site.front()->owningBlock()) return ReasonCode::several_blocks;
  return {};
}

Reason activation_stands_apart(const Site& site) {
  return first_of({stands_in_several_blocks(site), something_else_reads(site, site.nodes.size() - 2)});
}

Reason first_of(std::initializer_list<Reason> reasons) {
  for (const Reason& reason : reasons)
    if (reason) return reason;
  return {};
}

}  // namespace fusekit::rewrite
