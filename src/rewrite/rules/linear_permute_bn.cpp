#include <algorithm>
#include <numeric>

#include "rewrite/fold.h"
#include "rewrite/match.h"
#include "rewrite/rules.h"

// y = linear(x, W, b)                 x: (N, L, in_features)
// p = transpose(y, 1, 2)              or any permutation that makes the features dimension 1
// z = batch_norm(p, gamma, beta, mean, var, training=False)
// ->
// y = linear(x, W', b')
// z = transpose(y, 1, 2)
//
// Where only the inverse permutation reads z, both permutations go; elsewhere z is laid out as the BatchNorm had it.
// The features are dimension 1 for data of a certain number of dimensions alone: where that is not proven, x passes an
// aten::permute that leaves it as it is, and raises on data of any other number.

namespace fusekit::rewrite {
namespace {

using Order = std::vector<std::int64_t>;

constexpr std::int64_t kLeastRank = 2;  // that a BatchNorm takes
constexpr std::int64_t kMostRanks = 8;  // are tried

/// Does the permutation make the last dimension of data of `rank` dimensions its dimension 1?
bool makes_features_channels(const ir::Permutation& permutation, std::int64_t rank) {
  const auto order = permutation.order(rank);
  return order && rank >= kLeastRank && order->at(1) == rank - 1;
}

/// The ranks at which that is so, of those that are tried.
std::vector<std::int64_t> fitting_ranks(const ir::Permutation& permutation) {
  std::vector<std::int64_t> ranks;
  for (std::int64_t rank = kLeastRank; rank <= kMostRanks; ++rank)
    if (makes_features_channels(permutation, rank)) ranks.push_back(rank);
  return ranks;
}

/// The rank that the fold is for; a value of 0: it is right for all.
std::variant<Reason, RankOfData> rank_of_data(const ir::Permutation& permutation, Facts& facts) {
  const auto fitting = fitting_ranks(permutation);
  if (fitting.size() == kMostRanks - kLeastRank + 1) return RankOfData{0, true};
  if (const auto rank = facts.rank(permutation.input, permutation.node)) {
    if (!makes_features_channels(permutation, *rank)) return Reason(ReasonCode::normalizes_other_dimension, *rank);
    return RankOfData{*rank, true};
  }
  if (const auto promised = facts.promised_rank(permutation.input, permutation.node)) {
    if (!makes_features_channels(permutation, *promised)) return Reason(ReasonCode::rank_by_inputs, *promised);
    return RankOfData{*promised, false};
  }
  if (fitting.empty()) return Reason(ReasonCode::normalizes_other_dimension, "any number of");
  if (fitting.size() > 1) return Reason(ReasonCode::rank_unknown);
  return RankOfData{fitting.front(), false};
}

/// Is `second` of `first` the data as it was?
bool undoes(const ir::Permutation& second, const ir::Permutation& first, std::int64_t rank) {
  const auto inner = first.order(rank);
  const auto outer = second.order(rank);
  if (!inner || !outer) return false;
  for (std::int64_t i = 0; i < rank; ++i)
    if (inner->at(static_cast<std::size_t>(outer->at(static_cast<std::size_t>(i)))) != i) return false;
  return true;
}

bool undoes(const ir::Permutation& second, const ir::Permutation& first, const RankOfData& rank) {
  if (rank.value > 0) return undoes(second, first, rank.value);
  for (std::int64_t each = kLeastRank; each <= kMostRanks; ++each)
    if (!undoes(second, first, each)) return false;
  return true;
}

/// Do all readers of `value` undo the permutation?
bool is_undone(const Value* value, const ir::Permutation& permutation, const RankOfData& rank) {
  const auto& uses = value->uses();
  return std::all_of(uses.begin(), uses.end(), [&](const torch::jit::Use& use) {
    const auto second = ir::as_permutation(use.user);
    return second && second->node->owningBlock() == permutation.node->owningBlock() &&
           undoes(*second, permutation, rank);
  });
}

/// What the layer reads comes from an operator that raises on data of another rank.
void insist_on_rank(Node* layer, std::int64_t rank, Facts& facts) {
  Order same(static_cast<std::size_t>(rank));
  std::iota(same.begin(), same.end(), 0);
  const torch::jit::WithInsertPoint guard(layer);
  Value* input = ir::as_layer(layer)->input;
  Value* checked = facts.graph.insert(c10::aten::permute, {input, same});
  checked->node()->copyMetadata(layer);
  layer->replaceInputWith(input, checked);
  facts.learn_rank(layer->output(), rank, checked->node());
}

/// Is (N, H, W, features) seen as (N, features, H, W), or so in three dimensions? A BatchNorm keeps that layout; any other
/// it makes contiguous.
bool is_channels_last(const ir::Permutation& permutation, const RankOfData& rank) {
  if (rank.value == 4) return permutation.order(4) == Order{0, 3, 1, 2};
  return rank.value == 5 && permutation.order(5) == Order{0, 4, 1, 2, 3};
}

void apply(const BatchNormFold& fold, const ir::Permutation& permutation, Facts& facts) {
  Node* layer = with_weights(fold.layer, fold.insert(facts.program));
  if (!fold.rank.proven) insist_on_rank(layer, fold.rank.value, facts);
  Value* normalized = fold.batch_norm->output();
  if (is_undone(normalized, permutation, fold.rank)) {
    for (const torch::jit::Use& use : std::vector<torch::jit::Use>(normalized->uses()))
      use.user->output()->replaceAllUsesWith(layer->output());
    return;
  }
  if (is_channels_last(permutation, fold.rank)) return normalized->replaceAllUsesWith(permutation.node->output());
  const torch::jit::WithInsertPoint guard(fold.batch_norm);
  Value* laid_out = facts.graph.insert(c10::aten::contiguous, {permutation.node->output()});
  laid_out->node()->copyMetadata(fold.batch_norm);
  normalized->replaceAllUsesWith(laid_out);
}

Decision decide_linear_permute_bn(const Site& site, Facts& facts) {
  const ir::Layer layer = *ir::as_layer(site.front());
  const ir::Permutation permutation = *ir::as_permutation(site.nodes.at(1));
  if (Reason reason = stands_in_several_blocks(site)) return reason;
  if (Reason reason = first_of({something_else_reads(site, 0), something_else_reads(site, 1)})) return reason;
  if (Reason reason = is_not_constant(layer, site.back(), facts)) return reason;
  const auto rank = rank_of_data(permutation, facts);
  if (const auto* reason = std::get_if<Reason>(&rank)) return *reason;
  const auto found = folded(layer, site.back(), std::get<RankOfData>(rank), facts);
  if (const auto* reason = std::get_if<Reason>(&found)) return *reason;
  const auto& fold = std::get<BatchNormFold>(found);
  return Rewrite{.apply =
                     [fold, permutation](Facts& facts) {
                       apply(fold, permutation, facts);
                       return std::vector<Node*>{};
                     },
                 .note = fold.note()};
}

}  // namespace

Rule linear_permute_bn() {
  return {.name = "linear+permute+bn",
          .summary = "Linear + transpose or permute + BatchNorm of the features: folded as linear+bn",
          .pattern = {linear(), permutation(), batch_norm()},
          .decide = decide_linear_permute_bn,
          .tolerance = 1e-5};
}

}  // namespace fusekit::rewrite
