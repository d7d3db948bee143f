#include "bench/round.h"

#include <algorithm>
#include <cmath>

#include "bench/statistics.h"
#include "fusekit/interrupted.h"

namespace fusekit::bench {
namespace {

// Minimum for the timed part of a slot. A disturbance on a shared machine lasts some tens of milliseconds: only slots that
// are shorter see it in all variants alike. Below this, the requests and the lead-in runs would take most of the time.
constexpr double kSlotSeconds = 0.005;
constexpr double kSlowRun = 0.1;  // s; runs above this need no lead-in run: cold caches matter little
constexpr int kMaxSlotRuns = 500;
constexpr std::size_t kMaxBlocks = 500;  // per process; more of them have the same placement in memory
constexpr int kMinWarmup = 4;            // runs; fewer do not show a steady state
constexpr int kWarmupAlone = 2;  // runs; the profiling executor records the first inference and compiles in the next
constexpr double kWarmupShare = 0.3;  // largest part of a process's time

/// One round in the processes of a pool.
class Round {
 public:
  Round(std::size_t variants, const Options& options, Clock& clock, Schedule& schedule, WorkerPool& pool,
        double deadline)
      : options_(options), clock_(clock), schedule_(schedule), pool_(pool), deadline_(deadline) {
    trace_.loads.resize(variants);
    trace_.warmup_us.resize(variants);
    trace_.peak_alone_kib.resize(variants);
  }

  RoundResult run(const Tick& tick) {
    trace_.load_order = schedule_.next_load_order();
    for (std::size_t index : trace_.load_order) {
      trace_.loads[index] = pool_.load(index, schedule_.next_padding());
      tick();
      if (pool_.is_first_in_its_process(index)) {
        while (wants_warmup_alone(index)) warm_up(index, tick);
        trace_.peak_alone_kib[index] = pool_.usage_of(index).peak_rss_kib;
      }
    }
    warm_up(tick);
    plan_slots();
    const Usage before = pool_.usage();
    const double first_block_at = seconds();
    try {
      while (wants_more()) {
        const double begin = seconds();
        run_block(tick);
        block_seconds_ = std::max(block_seconds_, seconds() - begin);
      }
    } catch (const Interrupted&) {
      if (trace_.blocks.empty()) throw;
      return {std::move(trace_), first_block_at, block_seconds_,
              /*interrupted=*/true};  // a worker may still be running
    }
    trace_.usage = pool_.usage();
    trace_.measured = trace_.usage - before;
    return {std::move(trace_), first_block_at, block_seconds_, /*interrupted=*/false};
  }

 private:
  [[nodiscard]] double seconds() const { return static_cast<double>(clock_.now()) * 1e-9; }

  void warm_up(std::size_t index, const Tick& tick) {
    const Times times = pool_.run({index, 0, 1});
    trace_.warmup_us[index].push_back(times.run_us.size() == 1 ? times.run_us.front() : times.wall_us);
    tick();
  }

  /// The peak memory is reached once the profiling executor has compiled and the compiled code has run.
  [[nodiscard]] bool wants_warmup_alone(std::size_t index) const {
    return static_cast<int>(trace_.warmup_us[index].size()) <
           std::min(kWarmupAlone, options_.warmup.value_or(kWarmupAlone));
  }

  void warm_up(const Tick& tick) {
    const double latest = seconds() + kWarmupShare * (deadline_ - seconds());
    const int fixed = options_.warmup.value_or(-1);
    for (int round = 0; fixed < 0 || round < fixed; ++round) {
      if (fixed < 0 && round >= kMinWarmup && all_steady()) return;
      if (fixed < 0 && round >= kWarmupAlone && seconds() > latest) return;
      for (std::size_t index : trace_.load_order)
        if (static_cast<int>(trace_.warmup_us[index].size()) <= round) warm_up(index, tick);
    }
  }

  [[nodiscard]] bool all_steady() const {
    return std::all_of(trace_.warmup_us.begin(), trace_.warmup_us.end(),
                       [](const auto& times) { return steady_state_start(times).has_value(); });
  }

  /// A slot has several short runs, so that each variant finds the caches as if it ran alone.
  void plan_slots() {
    for (std::size_t index = 0; index < trace_.loads.size(); ++index) {
      const auto& times = trace_.warmup_us[index];
      // Without a warm-up, only the time of the first inference is known.
      const double run =
          1e-6 * (times.empty() ? trace_.loads[index].first_us : *std::min_element(times.begin(), times.end()));
      const double runs = run > 0 ? std::ceil(kSlotSeconds / run) : kMaxSlotRuns;
      const int lead_in = run > kSlowRun || options_.warmup == 0 ? 0 : 1;
      slots_.push_back({index, lead_in, static_cast<int>(std::clamp<double>(runs, 1, kMaxSlotRuns))});
    }
    if (options_.iterations) {  // each block has two slots for each variant
      for (Slot& slot : slots_) slot.runs = std::min(slot.runs, std::max(1, (*options_.iterations + 1) / 2));
    }
  }

  [[nodiscard]] bool wants_more() const {
    const std::size_t done = trace_.blocks.size();
    if (done == 0) return true;
    if (options_.iterations) {
      const int fewest = std::min_element(slots_.begin(), slots_.end(), [](const Slot& a, const Slot& b) {
                           return a.runs < b.runs;
                         })->runs;
      return static_cast<double>(done) * 2 * fewest < *options_.iterations;
    }
    return done < kMaxBlocks && seconds() + block_seconds_ <= deadline_;
  }

  void run_block(const Tick& tick) {
    Block block;
    for (std::size_t index : schedule_.next_block_order()) {
      block.slots.push_back(slots_[index]);
      block.times.push_back(pool_.run(slots_[index]));
      tick();
    }
    trace_.blocks.push_back(std::move(block));
  }

  const Options& options_;
  Clock& clock_;
  Schedule& schedule_;
  WorkerPool& pool_;
  double deadline_;
  double block_seconds_ = 0;
  std::vector<Slot> slots_;
  ProcessTrace trace_;
};

}  // namespace

RoundResult run_round(std::size_t variants, const Options& options, Clock& clock, Schedule& schedule, WorkerPool& pool,
                      double deadline, const Tick& tick) {
  return Round(variants, options, clock, schedule, pool, deadline).run(tick);
}

}  // namespace fusekit::bench
