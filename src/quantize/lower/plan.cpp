#include "quantize/lower/plan.h"

#include <fmt/ranges.h>
#include <torch/csrc/jit/ir/alias_analysis.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "quantize/lower/settings.h"

namespace fusekit::quantize {
namespace {

bool is_tensor(const Value* value) { return value->type()->isSubtypeOf(*c10::TensorType::get()); }

/// For an alias analysis that does not outlive the graph: 1.13's graphs can't tell who owns them.
std::shared_ptr<Graph> borrowed(Graph& graph) { return {std::shared_ptr<Graph>(), &graph}; }

class Planner {
 public:
  Planner(Graph& graph, const ir::Program& program, const PlanOptions& options)
      : graph_(graph), program_(program), options_(options), aliases_(borrowed(graph)) {}

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
      WhyNot reason = options_.keep_float ? options_.keep_float(node) : std::nullopt;
      if (!reason) reason = conversion.why_not(node, program_);
      if (reason) {
        plan_.declined.push_back({node, std::string(conversion.name), *reason});
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
    if (const WhyNot reason = why_not(step)) {
      plan_.declined.push_back({step.front(), std::string(step.how->name), *reason});
      return;
    }
    absorbed_.insert(step.nodes.begin() + 1, step.nodes.end());
    int8_.insert(step.output);
    plan_.steps.push_back(std::move(step));
  }

  WhyNot why_not(const Step& step) const {
    if (WhyNot reason = lacks_int8_inputs(*step.how, step.inputs)) return reason;
    // What is written was not observed: that reason comes before "no sample reached it".
    for (const Value* input : step.inputs)
      if (aliases_.hasWriters(input)) return "what it reads is written in place";
    if (aliases_.hasWriters(step.front()->output())) return "what it computes is written in place";
    for (const Value* input : step.inputs)
      if (WhyNot reason = unfit(input)) return reason;
    if (WhyNot reason = unfit(step.output)) return reason;
    return has_wrong_rank(*step.how, step.front(), step.inputs.front());
  }

  WhyNot lacks_int8_inputs(const Conversion& conversion, const std::vector<Value*>& inputs) const {
    const auto count = static_cast<std::size_t>(
        std::count_if(inputs.begin(), inputs.end(), [&](Value* input) { return int8_.count(input) > 0; }));
    if (conversion.appetite == Appetite::any_input && count == 0) return "none of its inputs is int8";
    if (conversion.appetite == Appetite::every_input && count < inputs.size()) return "its input is not int8";
    return std::nullopt;
  }

  const Fact* fact(const Value* value) const {
    if (options_.facts == nullptr) return nullptr;
    const auto found = options_.facts->find(options_.numbers->of(value));
    return found == options_.facts->end() ? nullptr : &found->second;
  }

  /// Of a list there is no fact, but of the tensor that it was split from.
  WhyNot unfit(const Value* value) const {
    if (options_.facts == nullptr || !is_tensor(value)) return std::nullopt;
    const Fact* known = fact(value);
    if (known == nullptr) return "no sample reached it";
    if (known->dtype != at::kFloat) return fmt::format("it computes in {}", c10::toString(known->dtype));
    return std::nullopt;
  }

  WhyNot has_wrong_rank(const Conversion& conversion, Node* node, const Value* input) const {
    const Fact* known = fact(input);
    if (known == nullptr || conversion.ranks == nullptr) return std::nullopt;
    const auto fits = conversion.ranks(node, program_);
    const auto rank = static_cast<std::int64_t>(known->sizes.size());
    if (std::find(fits.begin(), fits.end(), rank) != fits.end()) return std::nullopt;
    return fmt::format("its input has {} dimensions, and the int8 operator wants {}", rank, fmt::join(fits, " or "));
  }

  void absorb_clamp(Step& step) const {
    Node* reader = only_reader(step.output);
    if (reader == nullptr || reader->owningBlock() != step.front()->owningBlock()) return;
    const auto clamp = as_clamp(reader);
    if (!clamp || reader->input(0) != step.output || aliases_.hasWriters(reader->output())) return;
    if (options_.keep_float && options_.keep_float(reader)) return;
    if (options_.may_absorb && !options_.may_absorb(step.front(), reader)) return;
    step.nodes.push_back(reader);
    step.output = reader->output();
    step.clamp = clamp;
  }

  Graph& graph_;
  const ir::Program& program_;
  const PlanOptions& options_;
  torch::jit::AliasDb aliases_;
  Plan plan_;
  std::unordered_set<const Value*> int8_;
  std::unordered_set<const Node*> absorbed_;
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Where the function is constant (or as good as) on both sides. The sigmoid's tails are below half a level of 1/256
/// from 6.25 on, the tanh's of 2/256 from 3.12 on.
Range interval_of(const Node* node) {
  if (is_operator(node, {"aten::hardswish"})) return {-3, kInfinity};
  if (is_operator(node, {"aten::hardsigmoid"})) return {-3, 3};
  if (is_operator(node, {"aten::sigmoid"})) return {-6.5, 6.5};
  if (is_operator(node, {"aten::tanh"})) return {-3.25, 3.25};
  if (const auto clamp = as_clamp(const_cast<Node*>(node))) return {clamp->low, clamp->high};
  return {-kInfinity, kInfinity};
}

}  // namespace

Plan plan(Graph& graph, const ir::Program& program, const PlanOptions& options) {
  return Planner(graph, program, options).run();
}

std::vector<Value*> observed_values(const Plan& plan) {
  std::vector<Value*> values;
  std::unordered_set<Value*> seen;
  const auto add = [&](Value* value) {
    if (is_tensor(value) && seen.insert(value).second) values.push_back(value);
  };
  for (const Step& step : plan.steps) {
    for (Value* input : step.inputs) add(input);
    add(step.output);
  }
  return values;
}

Range interval_that_matters(const Value* value) {
  Range range{kInfinity, -kInfinity};
  for (const torch::jit::Use& use : value->uses()) {
    if (reads_only_the_shape(use.user)) continue;
    const Range own = interval_of(use.user);
    range = {std::min(range.min, own.min), std::max(range.max, own.max)};
  }
  return range.min > range.max ? Range{-kInfinity, kInfinity} : range;
}

}  // namespace fusekit::quantize
