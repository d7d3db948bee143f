#include "quantize/islands.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "quantize/work_in_a_run.h"

namespace fusekit::quantize {
namespace {

// µs, one thread of a CPU with AVX-512 VNNI, engine x86 (README.md, "What stays float for speed"). Where measurements differ,
// those that speak for int8.
constexpr double kCallMore = 12;            // a call of an int8 layer, above one of a float layer
constexpr double kQuantizeCall = 3;         // one more operator
constexpr double kDequantizeCall = 2;       // one more operator
constexpr double kQuantize = 0.25e-3;       // an element
constexpr double kDequantize = 0.22e-3;     // an element
constexpr double kSavedByWork = 25e-6;      // a multiply-add
constexpr double kSavedDepthwise1d = 1e-3;  // a multiply-add of a depthwise conv1d, for which float has no fast kernel
constexpr double kSavedByWeight = 0.2e-3;   // an element of the weight, of which float reads four times the bytes

constexpr double kMostSlowWork = 0.1;  // of the multiply-adds: what slow islands may have where there are no others

struct Island {
  double saved = 0;  ///< µs; less than nothing where it loses
  double macs = 0;
  std::vector<const Node*> layers;
};

/// Steps that are joined by int8 tensors get one root.
class Joined {
 public:
  explicit Joined(const Plan& plan) : roots_(plan.steps.size()) {
    std::iota(roots_.begin(), roots_.end(), std::size_t{0});
    std::map<const Value*, std::size_t> maker;
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      for (const Value* input : plan.steps[i].inputs)
        if (const auto found = maker.find(input); found != maker.end()) roots_[root(i)] = root(found->second);
      maker[plan.steps[i].output] = i;
    }
  }

  [[nodiscard]] std::size_t root(std::size_t step) const {
    while (roots_[step] != step) step = roots_[step];
    return step;
  }

 private:
  std::vector<std::size_t> roots_;
};

class Estimate {
 public:
  Estimate(const Plan& plan, const Observed& observed) : plan_(plan), observed_(observed), joined_(plan) {
    for (const auto& [work, count] : work_in_a_run(observed)) {
      macs_.emplace(work.node, count);
      all_macs_ += count;
    }
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      made_by_.emplace(plan.steps[i].output, i);
      for (const Node* node : plan.steps[i].nodes) step_of_.emplace(node, i);
    }
    for (std::size_t i = 0; i < plan.steps.size(); ++i) count(i);
  }

  [[nodiscard]] std::set<const Node*> slow() const {
    std::set<const Node*> nodes;
    double macs = 0;
    bool all_are_slow = true;
    for (const auto& [root, island] : islands_) {
      if (island.saved >= 0) {
        all_are_slow = false;
        continue;
      }
      macs += island.macs;
      nodes.insert(island.layers.begin(), island.layers.end());
    }
    return all_are_slow && macs > kMostSlowWork * all_macs_ ? std::set<const Node*>() : nodes;
  }

 private:
  void count(std::size_t i) {
    const Step& step = plan_.steps[i];
    Island& island = islands_[joined_.root(i)];
    for (const Value* input : step.inputs)
      if (made_by_.count(input) == 0 && quantized_.insert(input).second)
        island.saved -= kQuantizeCall + kQuantize * elements_in_a_run(input, observed_);
    if (is_read_as_float(i)) island.saved -= kDequantizeCall + kDequantize * elements_in_a_run(step.output, observed_);
    if (step.how->precondition == Precondition::none) island.layers.push_back(step.front());
    if (const auto layer = ir::as_layer(step.front())) count(*layer, island);
  }

  void count(const ir::Layer& layer, Island& island) {
    const double macs = macs_[layer.node];
    island.macs += macs;
    island.saved -= kCallMore;
    const auto weight = ir::constant_tensor(*observed_.program, layer.weight);
    if (!weight) return;
    island.saved += saved_by_work(layer, *weight) * macs;
    island.saved += kSavedByWeight * static_cast<double>(weight->numel());
  }

  static double saved_by_work(const ir::Layer& layer, const at::Tensor& weight) {
    const bool is_depthwise = layer.groups > 1 && weight.size(1) == 1;
    if (!is_depthwise) return kSavedByWork;
    return weight.dim() == 3 ? kSavedDepthwise1d : 0;  // oneDNN is as fast in float where its data is channels_last
  }

  [[nodiscard]] bool is_read_as_float(std::size_t i) const {
    const auto& uses = plan_.steps[i].output->uses();
    return std::any_of(uses.begin(), uses.end(), [&](const torch::jit::Use& use) {
      return step_of_.count(use.user) == 0 && !ir::reads_only_shape(use.user);
    });
  }

  const Plan& plan_;
  const Observed& observed_;
  Joined joined_;
  std::map<const Node*, double> macs_;
  double all_macs_ = 0;
  std::map<const Value*, std::size_t> made_by_;
  std::map<const Node*, std::size_t> step_of_;
  std::set<const Value*> quantized_;
  std::map<std::size_t, Island> islands_;
};

}  // namespace

std::set<const Node*> layers_of_slow_islands(const Plan& plan, const Observed& observed) {
  return Estimate(plan, observed).slow();
}

}  // namespace fusekit::quantize
