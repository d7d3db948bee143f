#include "bench/round.h"

#include <algorithm>
#include <cmath>

#include "bench/statistics.h"

namespace fusekit::bench {
namespace {

constexpr double kSlotSeconds = 0.025;    // timed part of a slot, at least
constexpr double kSlowRun = 0.1;          // above this, a lead-in run costs more than cold caches distort
constexpr int kLongestSlot = 500;         // runs
constexpr std::size_t kMostBlocks = 100;  // a process: more only repeats the same placement
constexpr int kLeastWarmup = 4;           // fewer show no level
constexpr int kWarmupAlone = 2;       // the profiling executor takes the first inference to look, the next to compile
constexpr double kWarmupShare = 0.3;  // of a process's time, at most

/// One round: what happens between the start and the end of a team.
class Round {
 public:
  Round(std::size_t variants, const Options& options, Clock& clock, Schedule& schedule, Team& team, double deadline)
      : options_(options), clock_(clock), schedule_(schedule), team_(team), deadline_(deadline) {
    trace_.loads.resize(variants);
    trace_.warmup_us.resize(variants);
    trace_.peak_alone_kib.resize(variants);
  }

  RoundResult run(const Tick& tick) {
    trace_.load_order = schedule_.next_load_order();
    for (std::size_t index : trace_.load_order) {
      trace_.loads[index] = team_.load(index, schedule_.next_padding());
      tick();
      if (team_.is_first_in_its_process(index)) {
        while (wants_warmup_alone(index)) warm_up(index, tick);
        trace_.peak_alone_kib[index] = team_.usage_of(index).peak_rss_kib;
      }
    }
    warm_up(tick);
    plan_slots();
    const Usage before = team_.usage();
    const double first_block_at = seconds();
    while (wants_more()) {
      const double begin = seconds();
      run_block(tick);
      block_seconds_ = std::max(block_seconds_, seconds() - begin);
    }
    trace_.usage = team_.usage();
    trace_.measured = trace_.usage - before;
    return {std::move(trace_), first_block_at, block_seconds_};
  }

 private:
  [[nodiscard]] double seconds() const { return static_cast<double>(clock_.now()) * 1e-9; }

  void warm_up(std::size_t index, const Tick& tick) {
    const Times times = team_.run({index, 0, 1});
    trace_.warmup_us[index].push_back(times.run_us.size() == 1 ? times.run_us.front() : times.wall_us);
    tick();
  }

  /// Its memory has grown to its peak when the profiling executor has compiled and what it compiled has run.
  [[nodiscard]] bool wants_warmup_alone(std::size_t index) const {
    return static_cast<int>(trace_.warmup_us[index].size()) <
           std::min(kWarmupAlone, options_.warmup.value_or(kWarmupAlone));
  }

  void warm_up(const Tick& tick) {
    const double latest = seconds() + kWarmupShare * (deadline_ - seconds());
    const int fixed = options_.warmup.value_or(-1);
    for (int round = 0; fixed < 0 || round < fixed; ++round) {
      if (fixed < 0 && round >= kLeastWarmup && all_steady()) return;
      if (fixed < 0 && round >= kWarmupAlone && seconds() > latest) return;
      for (std::size_t index : trace_.load_order)
        if (static_cast<int>(trace_.warmup_us[index].size()) <= round) warm_up(index, tick);
    }
  }

  [[nodiscard]] bool all_steady() const {
    return std::all_of(trace_.warmup_us.begin(), trace_.warmup_us.end(),
                       [](const auto& times) { return steady_from(times).has_value(); });
  }

  /// Short runs share a slot, so that each variant finds the caches as it would alone.
  void plan_slots() {
    for (std::size_t index = 0; index < trace_.loads.size(); ++index) {
      const auto& times = trace_.warmup_us[index];
      // Without a warm-up, the first inference is all that is known.
      const double run =
          1e-6 * (times.empty() ? trace_.loads[index].first_us : *std::min_element(times.begin(), times.end()));
      const double runs = run > 0 ? std::ceil(kSlotSeconds / run) : kLongestSlot;
      const int lead_in = run > kSlowRun || options_.warmup == 0 ? 0 : 1;
      slots_.push_back({index, lead_in, static_cast<int>(std::clamp<double>(runs, 1, kLongestSlot))});
    }
    if (options_.iterations) {  // each block has two slots a variant
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
    return done < kMostBlocks && seconds() + block_seconds_ <= deadline_;
  }

  void run_block(const Tick& tick) {
    Block block;
    for (std::size_t index : schedule_.next_block_order()) {
      block.slots.push_back(slots_[index]);
      block.times.push_back(team_.run(slots_[index]));
      tick();
    }
    trace_.blocks.push_back(std::move(block));
  }

  const Options& options_;
  Clock& clock_;
  Schedule& schedule_;
  Team& team_;
  double deadline_;
  double block_seconds_ = 0;
  std::vector<Slot> slots_;
  ProcessTrace trace_;
};

}  // namespace

RoundResult run_round(std::size_t variants, const Options& options, Clock& clock, Schedule& schedule, Team& team,
                      double deadline, const Tick& tick) {
  return Round(variants, options, clock, schedule, team, deadline).run(tick);
}

}  // namespace fusekit::bench
