#include "bench/machine_speed.h"

#include <ATen/Parallel.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <torch/script.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "runtime/libtorch_operators.h"

namespace fusekit::bench {
namespace {

constexpr int kManyThreads = 4;
constexpr std::size_t kSmallest = 1UL << 16, kLargest = 1UL << 27;  // bytes; the largest fits few caches
constexpr int kLeastRuns = 3;

/// Times things again and again for a share of the time that there is.
class Trials {
 public:
  Trials(Clock& clock, double seconds) : clock_(clock), seconds_(seconds) {}

  /// The time of the fastest run, in microseconds.
  double best_of(const std::function<void()>& run, double share) {
    run();
    double best = std::numeric_limits<double>::infinity();
    const std::int64_t begin = clock_.now();
    std::int64_t now = begin;
    for (int runs = 0; runs < kLeastRuns || static_cast<double>(now - begin) < 1e9 * share * seconds_; ++runs) {
      const std::int64_t before = now;
      run();
      now = clock_.now();
      best = std::min(best, 1e-3 * static_cast<double>(now - before));
    }
    return best;
  }

 private:
  Clock& clock_;
  double seconds_;
};

constexpr double kProductShare = 0.15, kBandwidthShare = 0.012, kCallShare = 0.02, kFaultShare = 0.05;

/// Of the matrices: as small as the threads can share well, so that there are runs that no other program interrupts.
std::int64_t side() { return at::get_num_threads() > kManyThreads ? 1024 : 512; }

double product_flops() {
  const auto n = static_cast<double>(side());
  return 2 * n * n * n;
}

std::function<void()> product_of(at::ScalarType type) {
  const at::Tensor a = at::ones({side(), side()}, type);
  const at::Tensor b = at::ones({side(), side()}, type);
  at::Tensor out = at::empty({side(), side()}, type);
  return [a, b, out]() mutable { at::mm_out(out, a, b); };
}

/// Under the engine that stands.
std::function<void()> int8_product() {
  const at::Tensor weight = at::quantize_per_tensor(at::ones({side(), side()}), 0.02, 0, at::kQInt8);
  const at::Tensor data = at::quantize_per_tensor(at::ones({side(), side()}), 0.02, 0, at::kQUInt8);
  const c10::IValue packed = runtime::call_operator("quantized::linear_prepack", {weight, c10::IValue()});
  return [packed, data] { runtime::call_operator("quantized::linear", {data, packed, 1.0, std::int64_t{0}}); };
}

std::function<void()> product_in(const std::string& dtype) {
  if (dtype == "float") return product_of(at::kFloat);
  if (dtype == "double") return product_of(at::kDouble);
  if (dtype == "half") return product_of(at::kHalf);
  if (dtype == "bfloat16") return product_of(at::kBFloat16);
  return dtype == "int8" ? int8_product() : nullptr;
}

/// Of data of `bytes`: the best of reading (a matrix times a vector), copying one half to the other, and working in place.
double bandwidth_of(Trials& trials, const at::Tensor& memory, std::size_t bytes, double call_us) {
  const auto floats = static_cast<std::int64_t>(bytes / sizeof(float));
  constexpr std::int64_t columns = 1024;
  const at::Tensor all = memory.narrow(0, 0, floats);
  const at::Tensor matrix = all.view({floats / columns, columns});
  const at::Tensor vector = at::ones({columns});
  at::Tensor sums = at::empty({floats / columns});
  const at::Tensor from = all.narrow(0, 0, floats / 2);
  const at::Tensor to = all.narrow(0, floats / 2, floats / 2);
  const double size = static_cast<double>(bytes);
  double best = 0;
  const auto take = [&](double moved, const std::function<void()>& run) {
    const double us = trials.best_of(run, kBandwidthShare);
    best = std::max(best, 1e6 * moved / std::max(us - call_us, us / 2));
  };
  take(size, [&] { at::mv_out(sums, matrix, vector); });
  take(size, [&] { to.copy_(from); });
  take(2 * size, [&] { all.relu_(); });
  return best;
}

double microseconds_of_a_call(Trials& trials) {
  constexpr int calls = 200;
  const at::Tensor number = at::ones({1});
  const auto run = [&] {
    for (int i = 0; i < calls; ++i) number.relu_();
  };
  return trials.best_of(run, kCallShare) / calls;
}

std::int64_t minor_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/// Memory as the allocator takes it for a large tensor: mapped, used, and given back.
double microseconds_of_a_fault(Trials& trials) {
  constexpr std::size_t size = 1UL << 21, page = 4096;
  std::int64_t faults = 0;
  const auto run = [&] {
    const std::int64_t before = minor_faults();
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    for (std::size_t at = 0; at < size; at += page) static_cast<volatile char*>(memory)[at] = 1;
    ::munmap(memory, size);
    faults = minor_faults() - before;
  };
  const double us = trials.best_of(run, kFaultShare);
  return faults > 0 ? us / static_cast<double>(faults) : 0;
}

}  // namespace

MachineSpeed measure_speed(const std::set<std::string>& dtypes, Clock& clock, double seconds) {
  const torch::NoGradGuard no_grad;
  Trials trials(clock, seconds);
  MachineSpeed speed;
  speed.threads = at::get_num_threads();
  speed.call_us = microseconds_of_a_call(trials);
  speed.fault_us = microseconds_of_a_fault(trials);
  for (const std::string& dtype : dtypes) {
    try {
      if (const auto product = product_in(dtype))
        speed.flops_per_second[dtype] = 1e6 * product_flops() / trials.best_of(product, kProductShare);
    } catch (const std::exception&) {  // a product that this LibTorch, or the engine, does not have
    }
  }
  const at::Tensor memory = at::ones({static_cast<std::int64_t>(kLargest / sizeof(float))});
  for (std::size_t bytes = kSmallest; bytes <= kLargest; bytes *= 2)
    speed.bandwidth.push_back({static_cast<double>(bytes), bandwidth_of(trials, memory, bytes, speed.call_us)});
  // A larger working set is never faster; where it was, the smaller one was disturbed.
  for (std::size_t i = speed.bandwidth.size() - 1; i > 0; --i)
    speed.bandwidth[i - 1].bytes_per_second =
        std::max(speed.bandwidth[i - 1].bytes_per_second, speed.bandwidth[i].bytes_per_second);
  return speed;
}

MachineSpeed better_of(MachineSpeed a, const MachineSpeed& b) {
  for (const auto& [dtype, flops] : b.flops_per_second)
    a.flops_per_second[dtype] = std::max(a.flops_per_second[dtype], flops);
  if (a.bandwidth.size() != b.bandwidth.size()) return a;
  for (std::size_t i = 0; i < a.bandwidth.size(); ++i)
    a.bandwidth[i].bytes_per_second = std::max(a.bandwidth[i].bytes_per_second, b.bandwidth[i].bytes_per_second);
  a.call_us = std::min(a.call_us, b.call_us);
  a.fault_us = std::min(a.fault_us, b.fault_us);
  return a;
}

}  // namespace fusekit::bench
