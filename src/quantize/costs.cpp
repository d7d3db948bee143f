#include "quantize/costs.h"

#include <algorithm>
#include <utility>

#include "ir/operators.h"
#include "quantize/work_in_a_run.h"

namespace fusekit::quantize {
namespace {

/// Operators that only pass on what is float anyway, and those that never run, are no news.
bool is_worth_telling(const Declined& declined) {
  const ReasonCode code = declined.reason.code;
  return declined.how->role == Role::layer ||
         (code != ReasonCode::input_not_int8 && code != ReasonCode::no_int8_input && code != ReasonCode::no_sample);
}

/// As people know it: a layer by its kind, anything else by its operator.
std::string operation_of(const Declined& declined) {
  return declined.how->role == Role::layer ? std::string(declined.how->name) : declined.node->kind().toUnqualString();
}

LayerCost cost_of(Node* node, const std::string& operation, const std::map<const Node*, double>& macs,
                  const std::map<const Node*, double>& alone_db) {
  LayerCost cost;
  cost.path = ir::scope_of(node);
  cost.operation = operation;
  if (const auto alone = alone_db.find(node); alone != alone_db.end()) cost.alone_db = alone->second;
  if (const auto found = macs.find(node); found != macs.end()) cost.macs = found->second;
  return cost;
}

/// What multiplies and adds, and is no layer.
std::vector<LayerCost> others_in(const std::vector<std::pair<ir::Work, double>>& all) {
  std::vector<LayerCost> others;
  for (const auto& [work, macs] : all) {
    if (ir::as_layer(work.node)) continue;
    LayerCost cost;
    cost.path = ir::scope_of(work.node);
    cost.operation = work.name;
    cost.reason = ReasonCode::no_int8_operator;
    cost.macs = macs;
    others.push_back(std::move(cost));
  }
  return others;
}

}  // namespace

void tell_costs(const Built& built, const Judge& judge, const Observed& observed,
                const std::map<const Node*, double>& alone_db, QuantizeReport& report) {
  const auto all = work_in_a_run(observed);
  std::map<const Node*, double> macs;
  for (const auto& [work, count] : all) macs.emplace(work.node, count);
  report.int8_operators = built.steps.size();
  const Score score = judge.score_layers(built);
  report.whole = score.whole;
  report.worst_sqnr_db = score.worst_sqnr_db;
  report.lost_detections = score.worst_alone;
  report.nothing_proven = !score.has_signal;
  for (const BuiltStep& step : built.steps) {
    if (step.how->role != Role::layer) continue;
    LayerCost cost = cost_of(step.node, std::string(step.how->name), macs, alone_db);
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
      LayerCost cost = cost_of(declined.node, operation_of(declined), macs, alone_db);
      cost.reason = declined.reason;
      report.layers.push_back(std::move(cost));
    }
    if (is_worth_telling(declined))
      report.floats.push_back({ir::scope_of(declined.node), operation_of(declined), declined.reason});
  }
  report.others = others_in(all);
  for (const auto& [node, count] : macs) report.macs += count;
  for (const LayerCost& cost : report.layers) report.int8_macs += cost.int8 ? cost.macs : 0;
  if (report.macs > 0) report.int8_macs /= report.macs;
}

}  // namespace fusekit::quantize
