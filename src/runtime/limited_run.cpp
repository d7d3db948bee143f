#include "runtime/limited_run.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <fmt/format.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "fusekit/runtime.h"
#include "runtime/resident_memory.h"
#include "runtime/unfinished_files.h"

namespace fusekit::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTick = 50;                          // ms
constexpr double kLongestGrace = 30;               // s from the soft bound on the time to the hard one
constexpr double kMemoryGrace = 0.25;              // of the bound on the memory
constexpr double kGuessSeconds = 15;               // for a guess, where the user gives no time
constexpr std::uint64_t kGuessBytes = 4ULL << 30;  // the same for memory, more than there was
constexpr std::uint64_t kLargePiece = 8 << 20;     // an allocation for which the memory is looked at
constexpr std::uint64_t kManyPieces = 64 << 20;    // smaller ones, together

std::mutex limits_mutex;
RuntimeOptions standing;  // only its limits

thread_local LimitedRun* current = nullptr;

std::uint64_t resident_bytes() { return static_cast<std::uint64_t>(resident_kib()) * 1024; }

Error too_long(const Watch& watch, const char* more) {
  return {ErrorKind::model, fmt::format("{} takes longer than {:.3g} s{}", watch.what(), watch.limits().seconds, more),
          "give RuntimeOptions::run_limit more seconds where it is slow and does not hang"};
}

Error too_large(const Watch& watch) {
  return {ErrorKind::model,
          fmt::format("{} takes more than {} of memory", watch.what(), memory_text(watch.limits().bytes)),
          "give RuntimeOptions::max_memory more where the machine has it"};
}

/// LibTorch's allocator, which asks the run that this thread is in.
class AskingAllocator : public c10::Allocator {
 public:
  explicit AskingAllocator(c10::Allocator* inner) : inner_(inner) {}

#if TORCH_VERSION_MAJOR >= 2
  c10::DataPtr allocate(std::size_t bytes) override { return ask_and_allocate(bytes); }
  void copy_data(void* to, const void* from, std::size_t count) const override { inner_->copy_data(to, from, count); }
#else
  c10::DataPtr allocate(std::size_t bytes) const override { return ask_and_allocate(bytes); }
#endif
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }

 private:
  c10::DataPtr ask_and_allocate(std::size_t bytes) const {
    if (current != nullptr) current->allow(bytes);
    return inner_->allocate(bytes);
  }

  c10::Allocator* inner_;
};

void install_asking_allocator() {
  static const bool installed = [] {
    // Never destroyed: memory may be asked for until the very end. NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
    c10::SetCPUAllocator(new AskingAllocator(c10::GetCPUAllocator()), /*priority=*/255);
    return true;
  }();
  static_cast<void>(installed);
}

}  // namespace

/// The thread that looks at all watches, and the clock that they go by.
class Watchman {
 public:
  static Watchman& only() {
    // Never destroyed: its thread goes on to the end. NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
    static auto* const watchman = new Watchman;
    return *watchman;
  }

  void start(std::function<void(const Error&)> tell) {
    const std::lock_guard lock(mutex_);
    tell_ = std::move(tell);
    if (is_running_.exchange(true)) return;
    std::thread([this] { look_around(); }).detach();
  }

  void add(Watch* watch) {
    const std::lock_guard lock(mutex_);
    watches_.push_back(watch);
  }
  void remove(Watch* watch) {
    const std::lock_guard lock(mutex_);
    std::erase(watches_, watch);
  }

  /// Milliseconds that count.
  [[nodiscard]] std::int64_t now() const {
    if (is_running_) return milliseconds_;
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
  }

 private:
  [[noreturn]] void look_around() {
    Clock::time_point before = Clock::now();
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kTick));
      const Clock::time_point now = Clock::now();
      const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - before).count();
      before = now;
      milliseconds_ += std::min<std::int64_t>(passed, 10L * kTick);  // longer: the process was stopped
      const std::lock_guard lock(mutex_);
      for (const Watch* watch : watches_) look_at(*watch);
    }
  }

  void look_at(const Watch& watch) const {
    const std::int64_t since = watch.since_;
    if (since == Watch::kIdle) return;
    const Limits& limits = watch.limits_;
    const double seconds = 1e-3 * static_cast<double>(milliseconds_ - since);
    if (limits.seconds > 0 && seconds > limits.seconds + std::min(limits.seconds, kLongestGrace))
      end_process(too_long(watch, " and does not come back"));
    if (limits.bytes > 0 &&
        static_cast<double>(resident_bytes()) > (1 + kMemoryGrace) * static_cast<double>(limits.bytes))
      end_process(too_large(watch));
  }

  [[noreturn]] void end_process(const Error& why) const {
    remove_unfinished();
    tell_(why);
    _exit(2);  // no destructors: the run still uses everything
  }

  std::mutex mutex_;
  std::function<void(const Error&)> tell_;
  std::vector<Watch*> watches_;
  std::atomic<bool> is_running_{false};
  std::atomic<std::int64_t> milliseconds_{0};
};

Limits standing_limits() {
  const std::lock_guard lock(limits_mutex);
  return {standing.run_limit.value_or(kDefaultRunLimit), standing.max_memory.value_or(0)};
}

Limits limits_of_guesses() {
  const std::lock_guard lock(limits_mutex);
  Limits limits{standing.run_limit.value_or(kGuessSeconds), standing.max_memory.value_or(0)};
  if (standing.max_memory) return limits;
  const auto available = static_cast<std::uint64_t>(available_kib()) * 1024;
  limits.bytes = resident_bytes() + (available > 0 ? std::min(kGuessBytes, available / 2) : kGuessBytes);
  return limits;
}

Watch::Watch(std::string what, Limits limits) : what_(std::move(what)), limits_(limits) { Watchman::only().add(this); }

Watch::~Watch() { Watchman::only().remove(this); }

void Watch::begin() noexcept { since_ = Watchman::only().now(); }

std::int64_t Watch::milliseconds() const { return Watchman::only().now() - since_; }

LimitedRun::LimitedRun(std::string what, Limits limits) : watch_(std::move(what), limits), outer_(current) {
  install_asking_allocator();
  current = this;
  watch_.begin();
}

LimitedRun::~LimitedRun() { current = outer_; }

void LimitedRun::allow(std::size_t bytes) {
  const Limits& limits = watch_.limits();
  if (limits.seconds > 0 && 1e-3 * static_cast<double>(watch_.milliseconds()) > limits.seconds)
    stop(too_long(watch_, ""));
  if (limits.bytes == 0) return;
  unchecked_ += bytes;
  if (bytes < kLargePiece && unchecked_ < kManyPieces) return;
  unchecked_ = 0;
  if (resident_bytes() + bytes > limits.bytes) stop(too_large(watch_));
}

void LimitedRun::stop(Error breach) {
  if (!breach_) breach_ = std::move(breach);
  throw Error(*breach_);
}

std::string memory_text(std::uint64_t bytes) {
  const auto size = static_cast<double>(bytes);
  return size < 1e9 ? fmt::format("{:.0f} MB", size / 1e6) : fmt::format("{:.1f} GB", size / 1e9);
}

}  // namespace fusekit::runtime

namespace fusekit {

void set_limits(const RuntimeOptions& options) {
  if (options.run_limit && !(*options.run_limit > 0))
    throw Error(ErrorKind::usage, fmt::format("RuntimeOptions::run_limit = {} is no time", *options.run_limit),
                "give seconds");
  if (options.max_memory && *options.max_memory == 0)
    throw Error(ErrorKind::usage, "RuntimeOptions::max_memory = 0 leaves nothing to run in", "give bytes");
  const std::lock_guard lock(runtime::limits_mutex);
  runtime::standing.run_limit = options.run_limit;
  runtime::standing.max_memory = options.max_memory;
}

void end_process_at_limits(std::function<void(const Error&)> tell) { runtime::Watchman::only().start(std::move(tell)); }

}  // namespace fusekit
