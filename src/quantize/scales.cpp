#include "quantize/scales.h"

#include <unordered_map>

namespace fusekit::quantize {
namespace {

/// Does this one reader read it once, and nothing else?
bool is_read_once(const Value* value) { return value->uses().size() == 1; }

}  // namespace

Facts with_shared_scales(const Facts& facts, const Plan& plan, const Numbering& numbers) {
  Facts shared = facts;
  std::unordered_map<const Value*, const Step*> makers;
  for (const Step& step : plan.steps) makers.emplace(step.output, &step);
  for (auto cat = plan.steps.rbegin(); cat != plan.steps.rend(); ++cat) {
    if (cat->how->name != "cat") continue;
    const QParams qparams = shared.at(numbers.of(cat->output)).qparams;
    for (const Value* part : cat->inputs) {
      const Value* source = part;
      while (is_read_once(source) && makers.count(source) > 0 &&
             makers.at(source)->how->scale == OutputScale::of_input && !makers.at(source)->inputs.empty())
        source = makers.at(source)->inputs.front();
      const auto maker = makers.find(source);
      if (is_read_once(source) && maker != makers.end() && maker->second->how->scale == OutputScale::observed)
        shared.at(numbers.of(source)).qparams = qparams;
    }
  }
  return shared;
}

}  // namespace fusekit::quantize
