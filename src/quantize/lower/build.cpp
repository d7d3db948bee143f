#include "quantize/lower/build.h"

#include "ir/concatenations.h"
#include "quantize/lower/scales.h"

namespace fusekit::quantize {
namespace {

/// The float network's node for a node of a copy, by the number of its first output.
class Counterparts {
 public:
  Counterparts(const Numbering& original, const Numbering& copy) : original_(original), copy_(copy) {}
  [[nodiscard]] Node* operator()(const Node* node) const { return original_.value(copy_.of(node->output(0)))->node(); }

 private:
  const Numbering& original_;
  const Numbering& copy_;
};

}  // namespace

PlanOptions plan_options(const Observed& observed, const Numbering& numbers,
                         std::function<Reason(const Node*)> keep_float) {
  return {&observed.facts, &numbers, std::move(keep_float), observed.may_absorb, observed.leave_slower};
}

Built build(const Observed& observed, const std::function<Reason(const Node*)>& keep_float,
            const WeightQuantizer& quantizer) {
  Built built{ir::copy_of(*observed.program), {}, {}, {}, {}};
  Graph& graph = *built.program.methods.front().graph;
  const Numbering numbers(graph);
  const Counterparts original(*observed.numbers, numbers);

  std::function<Reason(const Node*)> keep;
  if (keep_float) keep = [&](const Node* node) { return keep_float(original(node)); };
  const PlanOptions options = plan_options(observed, numbers, std::move(keep));
  const Plan planned = plan(graph, built.program, options);
  for (const Step& step : planned.steps)
    built.steps.push_back({step.how, ir::scope_of(step.front()), numbers.of(step.inputs.front()),
                           numbers.of(step.output), original(step.front()), nullptr, step.clamp});
  for (const Declined& declined : planned.declined)
    built.declined.push_back({original(declined.node), declined.how, declined.reason});

  const Facts facts = with_shared_scales(observed.facts, planned, numbers);
  Emitter emitter(built.program, graph, numbers, facts, quantizer, observed.leave_slower);
  std::vector<bool> is_tensor;
  for (const Step& step : planned.steps) is_tensor.push_back(step.output->type()->isSubtypeOf(*c10::TensorType::get()));
  emitter.run(planned.steps);  // the steps' own values are gone from here on
  for (std::size_t i = 0; i < planned.steps.size(); ++i) {
    built.steps[i].int8_input = emitter.int8_of(planned.steps[i].inputs.front());
    if (!is_tensor[i]) continue;
    const Value* output = planned.steps[i].output;
    built.watches.push_back(
        {built.steps[i].output, emitter.int8_of(planned.steps[i].output), emitter.channels_of_widened(output)});
  }
  ir::reuse_concatenations(graph, built.program);
  built.packings = emitter.packings();
  graph.lint();
  return built;
}

}  // namespace fusekit::quantize
