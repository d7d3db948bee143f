#include "quantize/lower/scales.h"

#include <algorithm>
#include <unordered_map>

#include "quantize/lower/clamps.h"

namespace fusekit::quantize {
namespace {

/// Is everything that `part` puts together put together by `whole` too, with more? DenseNet's lists grow like that.
bool goes_into(const Step& part, const Step& whole) {
  return part.inputs.size() < whole.inputs.size() &&
         std::all_of(part.inputs.begin(), part.inputs.end(), [&](const Value* input) {
           return std::find(whole.inputs.begin(), whole.inputs.end(), input) != whole.inputs.end();
         });
}

/// The scales that cats dictate to those who make what they put together.
class Sharing {
 public:
  Sharing(Facts facts, const Plan& plan, const Numbering& numbers) : facts_(std::move(facts)), numbers_(numbers) {
    for (const Step& step : plan.steps) {
      makers_.emplace(step.output, &step);
      if (step.how->role != Role::concat) continue;
      cats_.push_back(&step);
      cat_at_.emplace(step.front(), &step);
    }
    std::reverse(cats_.begin(), cats_.end());  // the last, which may dictate to those before it, comes first
  }

  Facts run() {
    for (const Step* cat : cats_) join_larger(*cat);
    for (const Step* cat : cats_)
      for (const Value* part : cat->inputs)
        if (is_read_by_cats_alone(part, qparams(cat->output))) dictate(part, qparams(cat->output));
    return std::move(facts_);
  }

 private:
  QParams& qparams(const Value* value) { return facts_.at(numbers_.of(value)).qparams; }

  void join_larger(const Step& cat) {
    const auto larger =
        std::find_if(cats_.begin(), cats_.end(), [&](const Step* other) { return goes_into(cat, *other); });
    if (larger != cats_.end()) qparams(cat.output) = qparams((*larger)->output);
  }

  /// Is all that becomes of `value` a part of cats with this scale?
  bool is_read_by_cats_alone(const Value* value, const QParams& scale) {
    const auto is_such_cat = [&](const torch::jit::Use& use) {
      const auto cat = cat_at_.find(use.user);
      return cat != cat_at_.end() && qparams(cat->second->output) == scale;
    };
    return std::all_of(value->uses().begin(), value->uses().end(), [&](const torch::jit::Use& use) {
      const auto& lists = use.user->outputs();
      return ir::reads_only_shape(use.user) ||
             (use.user->kind() == c10::prim::ListConstruct &&
              std::all_of(lists[0]->uses().begin(), lists[0]->uses().end(), is_such_cat));
    });
  }

  /// To what makes the levels of `value`, past the operators that only move them.
  void dictate(const Value* value, const QParams& scale) {
    const auto maker = makers_.find(value);
    if (maker == makers_.end()) {
      qparams(value) = scale;  // float numbers, which are quantized for the cat
      return;
    }
    const Step& step = *maker->second;
    if (step.how->scale == OutputScale::observed) qparams(value) = scale;
    if (step.how->scale != OutputScale::of_input || step.inputs.empty()) return;
    if (ir::only_reader(step.inputs.front()) == step.front()) dictate(step.inputs.front(), scale);
  }

  Facts facts_;
  const Numbering& numbers_;
  std::unordered_map<const Value*, const Step*> makers_;
  std::unordered_map<const Node*, const Step*> cat_at_;
  std::vector<const Step*> cats_;
};

}  // namespace

Facts with_shared_scales(const Facts& facts, const Plan& plan, const Numbering& numbers) {
  return Sharing(facts, plan, numbers).run();
}

}  // namespace fusekit::quantize
