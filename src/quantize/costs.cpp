#include "quantize/costs.h"

#include <algorithm>

#include "ir/operators.h"

namespace fusekit::quantize {
namespace {

/// Operators that only pass on what is float anyway are no news.
bool is_worth_telling(const Declined& declined) {
  return declined.how->role == Role::layer ||
         (declined.reason.code != ReasonCode::input_not_int8 && declined.reason.code != ReasonCode::no_int8_input);
}

/// Of the layer, or of the activation that it absorbs: only what steps compute is observed.
std::vector<std::int64_t> output_sizes(const Node* node, const Observed& observed) {
  const auto own = observed.facts.find(observed.numbers->of(node->output()));
  if (own != observed.facts.end()) return own->second.sizes;
  for (const torch::jit::Use& use : node->output()->uses()) {
    if (use.user->outputs().size() != 1) continue;
    const auto next = observed.facts.find(observed.numbers->of(use.user->output()));
    if (next != observed.facts.end()) return next->second.sizes;
  }
  return {};
}

LayerCost cost_of(Node* node, const std::string& operation, const Observed& observed,
                  const std::map<const Node*, double>& alone_db) {
  LayerCost cost;
  cost.path = ir::scope_of(node);
  cost.operation = operation;
  if (const auto alone = alone_db.find(node); alone != alone_db.end()) cost.alone_db = alone->second;
  const auto layer = ir::as_layer(node);
  if (!layer) return cost;
  const auto weight = ir::constant_tensor(*observed.program, layer->weight);
  const auto in = observed.facts.find(observed.numbers->of(layer->input));
  const auto out = output_sizes(node, observed);
  if (weight && in != observed.facts.end() && !out.empty())
    cost.macs = ir::multiply_adds(*layer, *weight, in->second.sizes, out);
  return cost;
}

}  // namespace

void tell_costs(const Built& built, const Judge& judge, const Observed& observed,
                const std::map<const Node*, double>& alone_db, QuantizeReport& report) {
  report.int8_operators = built.steps.size();
  const Score score = judge.score_layers(built);
  report.whole = score.whole;
  report.worst_sqnr_db = score.worst_sqnr_db;
  for (const BuiltStep& step : built.steps) {
    if (step.how->role != Role::layer) continue;
    LayerCost cost = cost_of(step.node, std::string(step.how->name), observed, alone_db);
    cost.int8 = true;
    if (const auto found = score.layers.find(step.output); found != score.layers.end()) {
      cost.sqnr_db = found->second.sqnr_db();
      cost.saturated = found->second.outside / std::max(1.0, found->second.count);
    }
    report.layers.push_back(std::move(cost));
  }
  std::stable_sort(report.layers.begin(), report.layers.end(),
                   [](const LayerCost& a, const LayerCost& b) { return a.sqnr_db < b.sqnr_db; });
  for (const Declined& declined : built.declined) {
    if (declined.how->role == Role::layer) {
      LayerCost cost = cost_of(declined.node, std::string(declined.how->name), observed, alone_db);
      cost.reason = declined.reason;
      report.layers.push_back(std::move(cost));
    }
    if (is_worth_telling(declined))
      report.floats.push_back({ir::scope_of(declined.node), std::string(declined.how->name), declined.reason});
  }
  double all = 0;
  for (const LayerCost& cost : report.layers) {
    all += cost.macs;
    if (cost.int8) report.int8_macs += cost.macs;
  }
  report.int8_macs = all > 0 ? report.int8_macs / all : 0;
}

}  // namespace fusekit::quantize
