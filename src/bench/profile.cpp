#include "bench/profile.h"

#include <sys/resource.h>

#include <algorithm>
#include <deque>

#include "bench/layer_paths.h"
#include "bench/machine_speed.h"
#include "bench/module_runner.h"
#include "bench/operator_observer.h"
#include "bench/operator_work.h"

namespace fusekit::bench {
namespace {

constexpr int kWarmup = 4;                 // runs
constexpr int kMinRuns = 3;                // of each kind
constexpr double kMostSpeedSeconds = 0.7;  // for each of two measurements of the machine

/// A row of the profile: calls of one operator in one module.
struct Place {
  std::string scope;
  std::string op;
  std::vector<OperatorWork> calls;  ///< in one run
};

/// "prim": what TorchScript's interpreter does itself, prim::ConstantChunk, say, is called nothing.
std::string name_of(const at::RecordFunction& function) {
  const char* name = function.name();
  return name == nullptr || *name == '\0' ? "prim" : name;
}

/// The interpreter's observer is shown its whole stack, on which arguments of later operators may lie below.
template <typename Stack>  // LibTorch 1.13's has constant elements
c10::ArrayRef<c10::IValue> own_part(const Stack& stack, std::size_t count) {
  const std::size_t own = count > 0 ? std::min(count, stack.size()) : stack.size();
  return c10::ArrayRef<c10::IValue>(stack.data() + (stack.size() - own), own);
}

/// The operators of one run, in their order, and the work of each.
class WorkRecorder : public OperatorObserver {
 public:
  WorkRecorder(const Weights& weights, bool calls_modules) : weights_(weights), calls_modules_(calls_modules) {}

  void enter(const at::RecordFunction& function) override {
    Call call{function.operator_schema(), {}, 0};
    const auto inputs = own_part(function.inputs(), call.schema ? call.schema->arguments().size() : 0);
    call.inputs.assign(inputs.begin(), inputs.end());
    if (calls_.empty()) begin_place(name_of(function), call.inputs);
    calls_.push_back(std::move(call));
  }

  void leave(const at::RecordFunction& function) override {
    const Call call = std::move(calls_.back());
    calls_.pop_back();
    OperatorWork work;
    double products = call.inner_flops;
    if (call.schema) {
      const OperatorCall made{*call.schema, call.inputs, own_part(function.outputs(), call.schema->returns().size())};
      if (const auto own = flops_of_products(made, weights_)) products = *own;
      if (calls_.empty()) work = work_of(made, weights_, call.inner_flops);
    }
    if (calls_.empty()) {
      places_[sequence_.back()].calls.push_back(work);
    } else {
      calls_.back().inner_flops += products;
    }
  }

  [[nodiscard]] const std::vector<Place>& places() const { return places_; }
  [[nodiscard]] const std::vector<std::size_t>& sequence() const { return sequence_; }

 private:
  struct Call {
    std::decay_t<decltype(std::declval<at::RecordFunction>().operator_schema())> schema;
    std::vector<c10::IValue> inputs;
    double inner_flops;
  };

  void begin_place(const std::string& op, const std::vector<c10::IValue>& inputs) {
    scope_ = scope_of(inputs);
    const auto [place, is_new] = places_by_name_.try_emplace({scope_, op}, places_.size());
    if (is_new) places_.push_back({scope_, op, {}});
    sequence_.push_back(place->second);
  }

  [[nodiscard]] std::string scope_of(const std::vector<c10::IValue>& inputs) const {
    for (const c10::IValue& input : inputs)
      if (const OwnedWeight* weight = weights_.find_in(input)) return weight->path;
    return calls_modules_ ? calling_module() : scope_;
  }

  const Weights& weights_;
  bool calls_modules_;
  std::deque<Call> calls_;  ///< that are not done yet, the outermost first
  std::string scope_;
  std::map<std::pair<std::string, std::string>, std::size_t> places_by_name_;
  std::vector<Place> places_;
  std::vector<std::size_t> sequence_;  ///< of places
};

/// The times of the outermost operators of one run.
class Stopwatch : public OperatorObserver {
 public:
  explicit Stopwatch(Clock& clock) : clock_(clock) {}

  void enter(const at::RecordFunction& function) override {
    if (depth_++ > 0) return;
    times.push_back({name_of(function), 0});
    begin_ = clock_.now();
  }
  void leave(const at::RecordFunction&) override {
    if (--depth_ == 0) times.back().us = 1e-3 * static_cast<double>(clock_.now() - begin_);
  }

  struct Time {
    std::string op;  ///< the function may not outlive the call
    double us;
  };
  std::vector<Time> times;
  double forward_us = 0;

 private:
  Clock& clock_;
  int depth_ = 0;
  std::int64_t begin_ = 0;
};

/// Of times of the same thing: other programs make single runs longer, often most of them.
double lower_quartile(std::vector<double> us) {
  const auto place = us.begin() + static_cast<std::ptrdiff_t>(us.size() / 4);
  std::nth_element(us.begin(), place, us.end());
  return *place;
}

/// The times of each place, and what lies between the operators. A run that goes another way than the one whose work was
/// recorded has its operators where no module is known.
void add_times(Profile& profile, const WorkRecorder& recorded, const std::deque<Stopwatch>& runs) {
  for (const Place& place : recorded.places()) profile.layers.push_back({place.scope, place.op});
  std::vector<std::vector<double>> times(profile.layers.size(), std::vector<double>(runs.size()));
  std::vector<double> between;
  std::map<std::string, std::size_t> elsewhere;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    between.push_back(runs[r].forward_us);
    for (std::size_t i = 0; i < runs[r].times.size(); ++i) {
      const auto& [op, us] = runs[r].times[i];
      const bool known = i < recorded.sequence().size() && profile.layers[recorded.sequence()[i]].op == op;
      const std::size_t place = known ? recorded.sequence()[i] : elsewhere.try_emplace(op, times.size()).first->second;
      if (place == times.size()) {
        times.emplace_back(runs.size());
        profile.layers.push_back({"", op});
      }
      times[place][r] += us;
      profile.layers[place].calls += 1.0 / static_cast<double>(runs.size());
      between.back() -= us;
    }
  }
  profile.forward_us = std::max(0.0, lower_quartile(between));
  for (std::size_t i = 0; i < times.size(); ++i) {
    profile.layers[i].us = lower_quartile(times[i]);
    profile.forward_us += profile.layers[i].us;
  }
}

std::set<std::string> dtypes_of(const std::vector<Place>& places) {
  std::set<std::string> dtypes;
  for (const Place& place : places)
    for (const OperatorWork& work : place.calls)
      if (work.flops > 0 && !work.dtype.empty()) dtypes.insert(work.dtype);
  return dtypes;
}

void add_work(LayerTime& layer, const Place& place, double all_weights, const MachineSpeed& machine) {
  layer.attainable_us = 0;
  std::map<Bound, double> bounds;
  for (const OperatorWork& work : place.calls) {
    layer.flops += work.flops;
    layer.bytes += work.bytes();
    layer.dtype = work.dtype;
    const auto limit = attainable(work, all_weights, machine);
    if (limit) bounds[limit->bound] += std::max(limit->us, 1e-9);
    if (limit && layer.attainable_us) *layer.attainable_us += limit->us;
    if (!limit) layer.attainable_us.reset();
  }
  const auto most =
      std::max_element(bounds.begin(), bounds.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != bounds.end()) layer.bound = most->first;
}

std::int64_t minor_faults_so_far() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

double timed(Runner& runner, Clock& clock) {
  const std::int64_t begin = clock.now();
  runner.run();
  return 1e-3 * static_cast<double>(clock.now() - begin);
}

}  // namespace

Profile profile(const Variant& variant, Clock& clock, double seconds) {
  ModuleRunner runner(variant);
  for (int i = 0; i < kWarmup; ++i) runner.run();
  const Weights weights(runner.module());
  WorkRecorder recorded(weights, calls_modules(runner.module()));
  {
    const Observation observation(recorded, Observation::Sees::tensors);
    runner.run();
  }
  const std::set<std::string> dtypes = dtypes_of(recorded.places());
  const double speed_seconds = std::min(kMostSpeedSeconds, seconds);
  Profile result{.label = variant.label};
  result.machine = measure_speed(dtypes, clock, speed_seconds);

  std::deque<Stopwatch> observed;
  std::vector<double> plain_us;
  std::int64_t faults = 0;
  runner.run();
  for (double spent = 0; observed.size() < kMinRuns || spent < 1e6 * seconds;) {
    const std::int64_t before = minor_faults_so_far();
    plain_us.push_back(timed(runner, clock));
    faults += minor_faults_so_far() - before;
    Stopwatch& stopwatch = observed.emplace_back(clock);
    stopwatch.times.reserve(recorded.sequence().size());
    const Observation observation(stopwatch, Observation::Sees::names);
    stopwatch.forward_us = timed(runner, clock);
    spent += plain_us.back() + stopwatch.forward_us;
  }
  result.machine = better_of(std::move(result.machine), measure_speed(dtypes, clock, speed_seconds));

  add_times(result, recorded, observed);
  result.plain_us = lower_quartile(plain_us);
  result.page_faults = static_cast<double>(faults) / static_cast<double>(plain_us.size());
  double all_weights = 0;
  for (const Place& place : recorded.places())
    for (const OperatorWork& work : place.calls) all_weights += work.weight_bytes;
  for (std::size_t i = 0; i < recorded.places().size(); ++i)
    add_work(result.layers[i], recorded.places()[i], all_weights, result.machine);
  return result;
}

}  // namespace fusekit::bench
