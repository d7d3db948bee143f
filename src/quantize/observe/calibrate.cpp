#include "quantize/observe/calibrate.h"

#include <algorithm>

#include "fusekit/error.h"
#include "quantize/lower/plan.h"
#include "quantize/observe/network.h"

namespace fusekit::quantize {
namespace {

std::string place(const Value* value) {
  const Node* node = value->node();
  if (node->kind() == c10::prim::Param) return fmt::format("the input {}", value->debugName());
  const std::string scope = ir::scope_of(node);
  return fmt::format("the output of {}{}{}", node->kind().toQualString(), scope.empty() ? "" : " in ", scope);
}

/// One observer a value, and what it may leave out of its sight.
class Observers {
 public:
  Observers(const Numbering& numbers, const std::vector<Value*>& values, const QConfig& qconfig)
      : numbers_(numbers), levels_(qconfig.activation_levels) {
    for (const Value* value : values)
      watched_.emplace(numbers.of(value), Watched{make_observer(qconfig.activation), interval_that_matters(value), {}});
  }

  void see(int number, const at::Tensor& tensor, const std::string& sample) {
    Watched& watched = watched_.at(number);
    if (watched.fact.sizes.empty()) watched.fact.sizes = tensor.sizes().vec();
    watched.fact.dtype = tensor.scalar_type();
    if (tensor.scalar_type() != at::kFloat) return;
    try {
      watched.observer->observe(clipped(tensor, watched.interval));
    } catch (const NotFinite& problem) {
      throw Error(ErrorKind::input, fmt::format("{}: {} has {}", sample, place(numbers_.value(number)), problem.what()),
                  "leave this sample out, or keep the layer float with QuantizeOptions::skip");
    }
  }

  [[nodiscard]] Facts facts() const {
    Facts facts;
    for (const auto& [number, watched] : watched_) {
      if (watched.fact.sizes.empty() && watched.observer->empty()) continue;
      Fact fact = watched.fact;
      if (!watched.observer->empty()) {
        fact.range = watched.observer->range();
        fact.qparams = watched.observer->qparams(levels_);
      }
      facts.emplace(number, std::move(fact));
    }
    return facts;
  }

 private:
  struct Watched {
    std::unique_ptr<Observer> observer;
    Range interval;
    Fact fact;
  };

  static at::Tensor clipped(const at::Tensor& tensor, Range interval) {
    if (std::isinf(interval.min) && std::isinf(interval.max)) return tensor;
    return tensor.clamp(interval.min, interval.max);
  }

  const Numbering& numbers_;
  Levels levels_;
  std::map<int, Watched> watched_;
};

}  // namespace

Facts calibrate(const ir::Program& program, const Numbering& numbers, const std::vector<Value*>& values,
                const QConfig& qconfig, Samples& samples, const Progress& progress) {
  Observers observers(numbers, values, qconfig);
  ir::Program copy = ir::copy_of(program);
  const Numbering copied(*copy.methods.front().graph);
  std::vector<Watch> watches;
  for (const Value* value : values) watches.push_back({numbers.of(value), copied.value(numbers.of(value))});
  Network network(std::move(copy), watches);

  samples.rewind();
  std::size_t done = 0;
  while (const auto sample = samples.next()) {
    try {
      network.run(sample->inputs,
                  [&](int number, const at::Tensor& tensor) { observers.see(number, tensor, sample->name); });
    } catch (const Error& error) {
      if (!error.hint().empty()) throw;
      throw Error(ErrorKind::input, fmt::format("{} does not fit the network: {}", sample->name, error.message()),
                  "calibration data has to be what forward takes");
    }
    if (progress)
      progress(static_cast<double>(++done) / static_cast<double>(samples.size()), "observing " + sample->name);
  }
  return observers.facts();
}

std::vector<std::string> suspicious(const Facts& facts, const Numbering& numbers) {
  std::vector<std::string> warnings;
  for (const auto& [number, fact] : facts)
    // a single number is exactly the largest level
    if (fact.dtype == at::kFloat && fact.range.min == fact.range.max && !fact.sizes.empty())
      warnings.push_back(fmt::format("{} was {:.3g} throughout the calibration: its scale is a guess",
                                     place(numbers.value(number)), fact.range.min));
  return warnings;
}

}  // namespace fusekit::quantize
