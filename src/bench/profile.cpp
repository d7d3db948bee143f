#include "bench/profile.h"

#include <ATen/record_function.h>

#include "bench/module_runner.h"

namespace fusekit::bench {
namespace {

constexpr int kWarmup = 4;  // runs
constexpr int kMinRuns = 3;

/// A key by which an operator's argument is recognized as an attribute of a module: the address of its storage or object.
const void* identity_of(const c10::IValue& value) {
  if (value.isTensor() && value.toTensor().defined() && value.toTensor().has_storage())
    return value.toTensor().storage().unsafeGetStorageImpl();
  if (value.isObject())
    return value.toObjectRef().slots().empty() ? nullptr : identity_of(value.toObjectRef().slots()[0]);
  return value.isCapsule() ? value.toCapsule().get() : nullptr;
}

std::string parent_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

/// Maps each weight (also packed ones) to the path of the module that owns it.
std::map<const void*, std::string> owners_of(const torch::jit::Module& module) {
  std::map<const void*, std::string> owners;
  for (const auto& attribute : module.named_attributes(/*recurse=*/true)) {
    if (attribute.value.isModule()) continue;
    if (const void* identity = identity_of(attribute.value)) owners.emplace(identity, parent_of(attribute.name));
  }
  return owners;
}

/// Sums the times of the operators that run in one thread. Nested operators count to the outermost one.
class Recorder {
 public:
  Recorder(std::map<const void*, std::string> owners, Clock& clock) : owners_(std::move(owners)), clock_(clock) {}

  void begin_forward() { scope_.clear(); }

  void enter(const at::RecordFunction& function) {
    if (depth_++ > 0) return;
    for (const c10::IValue& input : function.inputs()) {
      const auto owner = owners_.find(identity_of(input));
      if (owner == owners_.end()) continue;
      scope_ = owner->second;
      break;
    }
    operator_ = function.name();
    begin_ = clock_.now();
  }

  void leave() {
    const std::int64_t end = clock_.now();
    if (--depth_ > 0) return;
    const auto [place, is_new] = places_.try_emplace({scope_, operator_}, layers_.size());
    if (is_new) layers_.push_back({scope_, operator_, 0, 0});
    layers_[place->second].us += 1e-3 * static_cast<double>(end - begin_);
    ++layers_[place->second].calls;
  }

  [[nodiscard]] std::vector<LayerTime> layers_per_run(int runs) const {
    std::vector<LayerTime> layers = layers_;
    for (LayerTime& layer : layers) {
      layer.us /= runs;
      layer.calls /= runs;
    }
    return layers;
  }

 private:
  std::map<const void*, std::string> owners_;
  Clock& clock_;
  int depth_ = 0;
  std::string scope_;
  std::string operator_;
  std::int64_t begin_ = 0;
  std::map<std::pair<std::string, std::string>, std::size_t> places_;
  std::vector<LayerTime> layers_;
};

/// The recorder of this thread, for the observer's callbacks, which are plain functions.
thread_local Recorder* current = nullptr;

std::unique_ptr<at::ObserverContext> at_begin(const at::RecordFunction& function) {
  if (current) current->enter(function);
  return nullptr;
}
void at_end(const at::RecordFunction&, at::ObserverContext*) {
  if (current) current->leave();
}

/// During its lifetime, the operators that this thread calls are recorded.
class Observation {
 public:
  explicit Observation(Recorder& recorder)
      : handle_(at::addThreadLocalCallback(
            at::RecordFunctionCallback(at_begin, at_end).needsInputs(true).scopes({at::RecordScope::FUNCTION}))) {
    current = &recorder;
  }
  Observation(const Observation&) = delete;
  Observation& operator=(const Observation&) = delete;
  ~Observation() {
    current = nullptr;
    at::removeCallback(handle_);
  }

 private:
  at::CallbackHandle handle_;
};

}  // namespace

Profile profile(const Variant& variant, Clock& clock, double seconds) {
  ModuleRunner runner(variant);
  for (int i = 0; i < kWarmup; ++i) runner.run();
  Recorder recorder(owners_of(runner.module()), clock);
  const Observation observation(recorder);
  int runs = 0;
  std::int64_t spent = 0;
  while (runs < kMinRuns || static_cast<double>(spent) < 1e9 * seconds) {
    recorder.begin_forward();
    const std::int64_t begin = clock.now();
    runner.run();
    spent += clock.now() - begin;
    ++runs;
  }
  return {variant.label, 1e-3 * static_cast<double>(spent) / runs, recorder.layers_per_run(runs)};
}

}  // namespace fusekit::bench
