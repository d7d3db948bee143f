#include "rewrite/fold.h"

#include <cmath>

#include "ir/flatten.h"
#include "ir/scale_and_shift.h"
#include "ir/training_mode.h"
#include "rewrite/layer_edits.h"
#include "rewrite/match.h"

namespace fusekit::rewrite {
namespace {

const char* kWeight = "weight";
const char* kBias = "bias";

/// One that LibTorch can reckon with: float8 is a type to store.
bool is_plain(const at::Tensor& tensor) {
  const at::ScalarType dtype = tensor.scalar_type();
  return tensor.layout() == at::kStrided && tensor.device().is_cpu() && !tensor.is_quantized() &&
         (dtype == at::kFloat || dtype == at::kDouble || dtype == at::kHalf || dtype == at::kBFloat16);
}

Reason not_constant_or_none(const Value* value, const std::string& what, const Facts& facts) {
  return ir::is_none(value) ? Reason() : not_constant(value, what, facts);
}

Reason sizes_differ(const ir::Layer& layer, const ir::BatchNorm& bn, const Facts& facts) {
  const auto tensor = [&](const Value* value) { return *ir::constant_tensor(facts.program, value); };
  const at::Tensor weight = tensor(layer.weight);
  if (weight.dim() < 2) return ReasonCode::weight_is_a_vector;
  const std::int64_t channels = ir::output_channels(layer, weight);
  for (const Value* value : {bn.mean, bn.var, bn.gamma, bn.beta, layer.bias})
    if (!ir::is_none(value) && tensor(value).numel() != channels)
      return {ReasonCode::channels_differ, channels, tensor(value).numel()};
  return {};
}

/// Does the BatchNorm's dimension 1 hold the layer's output channels, as far as is known? A rank that is only promised
/// has to be insisted on; so may be, for a convolution, one of which nothing is known.
Reason rank_does_not_fit(const ir::Layer& layer, const ir::BatchNorm& bn, std::optional<std::int64_t> rank,
                         std::int64_t wanted, Facts& facts) {
  if (rank == wanted) return {};
  if (rank) return {layer.is_linear ? ReasonCode::normalizes_dimension_one : ReasonCode::no_batch_dimension, *rank};
  const auto promised = facts.promised_rank(bn.input, bn.node);
  if (promised && promised != wanted) return {ReasonCode::rank_by_inputs, *promised};
  return promised || !layer.is_linear ? Reason() : Reason(ReasonCode::rank_unknown);
}

/// One name for what is folded, or "" where a part of it has none.
std::string fold_key(const ir::Layer& layer, const ir::BatchNorm& bn) {
  std::string key = fmt::format("{}|{}|{}", layer.groups, layer.transposed, *bn.eps);
  for (const Value* value : {layer.weight, layer.bias, bn.mean, bn.var, bn.gamma, bn.beta}) {
    const auto name = ir::weight_key(value);
    if (!name && !ir::is_none(value)) return "";
    key += "|" + name.value_or("None");
  }
  return key;
}

/// A NaN or an infinity anywhere shows in the extremes, in one pass.
bool is_finite(const at::Tensor& tensor) {
  const bool half = tensor.scalar_type() == at::kHalf;  // LibTorch 1.13 has no aminmax of it
  const auto [low, high] = at::aminmax(half ? tensor.to(at::kFloat) : tensor);
  return std::isfinite(low.item<double>()) && std::isfinite(high.item<double>());
}

}  // namespace

Reason not_constant(const Value* value, const std::string& what, const Facts& facts) {
  if (const auto tensor = ir::constant_tensor(facts.program, value))
    return is_plain(*tensor) ? Reason() : Reason(ReasonCode::not_floating_point, what);
  const Node* node = value->node();
  if (node->kind() == c10::prim::GetAttr) return {ReasonCode::written_by_method, what, node->s(c10::attr::name)};
  if (node->kind() == c10::prim::Param) return {ReasonCode::is_an_input, what};
  return {ReasonCode::is_computed, what, node->kind().toQualString()};
}

Reason batch_norm_is_not_constant(Node* node, const Facts& facts) {
  const ir::BatchNorm bn = *ir::as_batch_norm(node);
  if (ir::is_none(bn.mean) || ir::is_none(bn.var)) return ReasonCode::no_running_statistics;
  if (!bn.training)
    return ir::follows_training_mode(ir::argument(node, "training")) ? ReasonCode::batch_statistics
                                                                     : ReasonCode::training_unknown;
  if (*bn.training) return ReasonCode::batch_statistics;
  if (!bn.eps) return ReasonCode::eps_computed;
  const Reason reason = first_of({not_constant(bn.mean, "BatchNorm's running mean", facts),
                                  not_constant(bn.var, "BatchNorm's running variance", facts),
                                  not_constant_or_none(bn.gamma, "BatchNorm's weight", facts),
                                  not_constant_or_none(bn.beta, "BatchNorm's bias", facts)});
  if (reason) return reason;
  return ir::scale_and_shift(bn, facts.program) ? Reason() : Reason(ReasonCode::variance_not_positive);
}

Reason is_not_constant(const ir::Layer& layer, Node* batch_norm, Facts& facts) {
  if (facts.is_under_autocast(layer.node) || facts.is_under_autocast(batch_norm)) return ReasonCode::under_autocast;
  if (Reason reason = batch_norm_is_not_constant(batch_norm, facts)) return reason;
  return first_of({not_constant(layer.weight, kWeight, facts), not_constant_or_none(layer.bias, kBias, facts)});
}

std::variant<Reason, BatchNormFold> folded(const ir::Layer& layer, Node* batch_norm, RankOfData rank,
                                           const Facts& facts) {
  const ir::BatchNorm bn = *ir::as_batch_norm(batch_norm);
  if (Reason reason = sizes_differ(layer, bn, facts)) return reason;
  BatchNormFold found{layer.node, batch_norm, fold_key(layer, bn), {}, rank};
  if (!found.key.empty() && facts.program.folds.count(found.key) > 0) return found;
  found.weights = fold(layer, bn, facts.program);
  if (!is_finite(found.weights.weight) || !is_finite(found.weights.bias))
    return Reason(ReasonCode::leaves_finite_range, c10::toString(found.weights.weight.scalar_type()));
  return found;
}

std::variant<Reason, BatchNormFold> find_fold(const Site& site, Facts& facts) {
  const ir::Layer layer = *ir::as_layer(site.nodes.at(0));
  Node* batch_norm = site.nodes.at(1);
  if (Reason reason = stands_in_several_blocks(site)) return reason;
  if (Reason reason = something_else_reads(site, 0)) return reason;
  if (Reason reason = is_not_constant(layer, batch_norm, facts)) return reason;

  const ir::BatchNorm bn = *ir::as_batch_norm(batch_norm);
  const at::Tensor weight = *ir::constant_tensor(facts.program, layer.weight);
  const std::int64_t wanted = ir::batched_rank(layer, weight);
  const auto rank = layer.checks_rank ? wanted : facts.rank(bn.input, batch_norm);
  if (Reason reason = rank_does_not_fit(layer, bn, rank, wanted, facts)) return reason;
  return folded(layer, batch_norm, {wanted, rank.has_value()}, facts);
}

Decision fold_batch_norm(const Site& site, Facts& facts) {
  const auto found = find_fold(site, facts);
  if (const auto* reason = std::get_if<Reason>(&found)) return *reason;
  const auto& fold = std::get<BatchNormFold>(found);
  return Rewrite{.apply =
                     [fold](Facts& facts) {
                       fold.apply(facts);
                       return std::vector<Node*>{};
                     },
                 .note = fold.note()};
}

LayerWeights BatchNormFold::insert(ir::Program& program) const {
  if (const auto known = program.folds.find(key); !key.empty() && known != program.folds.end())
    return {ir::insert_weight(program, layer, known->second.first),
            ir::insert_weight(program, layer, known->second.second)};
  const ir::Layer view = *ir::as_layer(layer);
  const ir::Weight* weight = ir::weight_of(program, view.weight);
  const ir::Weight* bias = ir::weight_of(program, view.bias);
  const std::string weight_path = weight != nullptr ? weight->path : "";
  const std::string bias_path = bias != nullptr ? bias->path : ir::sibling_path(weight, kBias);
  const LayerWeights added{ir::add_weight(program, layer, weight_path, weights.weight, weight),
                           ir::add_weight(program, layer, bias_path, weights.bias, bias != nullptr ? bias : weight)};
  if (!key.empty()) program.folds[key] = {*ir::weight_key(added.weight), *ir::weight_key(added.bias)};
  return added;
}

Node* BatchNormFold::apply(Facts& facts) const {
  const LayerWeights added = insert(facts.program);
  Node* folded = rank.proven ? with_weights(layer, added) : strict_with_weights(layer, added, rank.value);
  if (!rank.proven) facts.learn_rank(layer->output(), rank.value, folded);
  batch_norm->output()->replaceAllUsesWith(folded->output());
  batch_norm->destroy();
  if (folded != layer) {
    layer->output()->replaceAllUsesWith(folded->output());
    layer->destroy();
  }
  return folded;
}

Reason BatchNormFold::note() const { return rank.proven ? Reason() : Reason(ReasonCode::insists_on_rank, rank.value); }

}  // namespace fusekit::rewrite
