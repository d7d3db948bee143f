#include "quantize/lower/plan.h"

#include <c10/util/accumulate.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "ir/aliases.h"
#include "ir/autocast.h"
#include "quantize/lower/clamps.h"

namespace fusekit::quantize {
namespace {

class Planner {
 public:
  Planner(Graph& graph, const ir::Program& program, const PlanOptions& options)
      : graph_(graph),
        program_(program),
        options_(options),
        aliases_(graph, program),
        has_autocast_(ir::has_autocast(graph)) {}

  Plan run() {
    walk(graph_.block());
    return std::move(plan_);
  }

 private:
  void walk(torch::jit::Block* block) {
    for (Node* node : block->nodes()) {
      if (absorbed_.count(node) > 0) continue;
      visit(node);
      for (torch::jit::Block* inner : node->blocks()) walk(inner);
    }
  }

  void visit(Node* node) {
    for (const Conversion& conversion : conversions()) {
      if (!conversion.matches(node)) continue;
      Reason reason = options_.keep_float ? options_.keep_float(node) : Reason();
      if (!reason) reason = conversion.why_not(node, program_);
      if (!reason && has_autocast_ && ir::is_under_autocast(node)) reason = ReasonCode::under_autocast;
      if (reason) {
        plan_.declined.push_back({node, &conversion, reason});
      } else {
        take(step_at(conversion, node));
      }
      return;
    }
  }

  Step step_at(const Conversion& conversion, Node* node) const {
    Step step{&conversion, {node}, conversion.inputs(node), node->output(), std::nullopt};
    if (conversion.absorbs_clamp) absorb_clamp(step);
    return step;
  }

  void take(Step step) {
    if (const Reason reason = why_not(step)) {
      plan_.declined.push_back({step.front(), step.how, reason});
      return;
    }
    absorbed_.insert(step.nodes.begin() + 1, step.nodes.end());
    int8_.insert(step.output);
    plan_.steps.push_back(std::move(step));
  }

  Reason why_not(const Step& step) const {
    if (Reason reason = lacks_int8_inputs(*step.how, step.inputs)) return reason;
    // What is written was not observed: that reason comes before "no sample reached it".
    for (const Value* input : step.inputs)
      if (aliases_.is_written(input)) return ReasonCode::input_written_in_place;
    if (aliases_.is_written(step.front()->output())) return ReasonCode::output_written_in_place;
    for (const Value* input : step.inputs)
      if (Reason reason = unfit(input)) return reason;
    if (Reason reason = unfit(step.output)) return reason;
    if (Reason reason = has_wrong_rank(*step.how, step.front(), step.inputs.front())) return reason;
    return is_slower(step) ? Reason(ReasonCode::slower_in_int8) : Reason();
  }

  Reason lacks_int8_inputs(const Conversion& conversion, const std::vector<Value*>& inputs) const {
    const auto count = static_cast<std::size_t>(
        std::count_if(inputs.begin(), inputs.end(), [&](Value* input) { return int8_.count(input) > 0; }));
    if (conversion.precondition == Precondition::any_input && count == 0) return ReasonCode::no_int8_input;
    if (conversion.precondition == Precondition::every_input && count < inputs.size())
      return ReasonCode::input_not_int8;
    return {};
  }

  const Fact* fact(const Value* value) const {
    if (options_.facts == nullptr) return nullptr;
    const auto found = options_.facts->find(options_.numbers->of(value));
    return found == options_.facts->end() ? nullptr : &found->second;
  }

  /// Of a list there is no fact, but of the tensor that it was split from.
  Reason unfit(const Value* value) const {
    if (options_.facts == nullptr || !ir::is_tensor(value)) return {};
    const Fact* known = fact(value);
    if (known == nullptr) return ReasonCode::no_sample;
    if (known->dtype != at::kFloat) return {ReasonCode::computes_in, c10::toString(known->dtype)};
    return {};
  }

  Reason has_wrong_rank(const Conversion& conversion, Node* node, const Value* input) const {
    const Fact* known = fact(input);
    if (known == nullptr || conversion.ranks == nullptr) return {};
    const auto fits = conversion.ranks(node, program_);
    const auto rank = static_cast<std::int64_t>(known->sizes.size());
    if (std::find(fits.begin(), fits.end(), rank) != fits.end()) return {};
    return {ReasonCode::wrong_rank, rank, fmt::format("{}", fmt::join(fits, " or "))};
  }

  [[nodiscard]] bool broadcasts(const Step& step) const {
    if (step.inputs.size() != 2) return false;
    const Fact* a = fact(step.inputs[0]);
    const Fact* b = fact(step.inputs[1]);
    return step.how->slower_from_broadcast && a != nullptr && b != nullptr && a->sizes != b->sizes;
  }

  [[nodiscard]] bool is_slower(const Step& step) const {
    const Fact* known = fact(step.output);
    const auto from = broadcasts(step) ? step.how->slower_from_broadcast : step.how->slower_from;
    return options_.leave_slower && from && known != nullptr && c10::multiply_integers(known->sizes) >= *from;
  }

  void absorb_clamp(Step& step) const {
    Node* reader = ir::only_reader(step.output);
    if (reader == nullptr || reader->owningBlock() != step.front()->owningBlock()) return;
    const auto clamp = usable_clamp(reader);
    if (!clamp || reader->input(0) != step.output || aliases_.is_written(reader->output())) return;
    if (options_.keep_float && options_.keep_float(reader)) return;
    if (options_.may_absorb && !options_.may_absorb(step.front(), reader)) return;
    step.nodes.push_back(reader);
    step.output = reader->output();
    step.clamp = clamp;
  }

  Graph& graph_;
  const ir::Program& program_;
  const PlanOptions& options_;
  ir::Aliases aliases_;
  bool has_autocast_;
  Plan plan_;
  std::unordered_set<const Value*> int8_;
  std::unordered_set<const Node*> absorbed_;
};

}  // namespace

Plan plan(Graph& graph, const ir::Program& program, const PlanOptions& options) {
  return Planner(graph, program, options).run();
}

std::vector<Value*> observed_values(const Plan& plan) {
  std::vector<Value*> values;
  std::unordered_set<Value*> seen;
  const auto add = [&](Value* value) {
    if (ir::is_tensor(value) && seen.insert(value).second) values.push_back(value);
  };
  for (const Step& step : plan.steps) {
    for (Value* input : step.inputs) add(input);
    add(step.output);
  }
  return values;
}

Range interval_that_matters(const Value* value) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Range range{infinity, -infinity};
  for (const torch::jit::Use& use : value->uses()) {
    if (ir::reads_only_shape(use.user)) continue;
    const ir::Interval own = ir::sensitive_interval(use.user);
    range = {std::min(range.min, own.low), std::max(range.max, own.high)};
  }
  return range.min > range.max ? Range{-infinity, infinity} : range;
}

}  // namespace fusekit::quantize
