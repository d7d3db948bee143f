// The measurement as the parent sees it: fresh processes, warm-up, blocks, and when to stop. It knows neither LibTorch
// nor the kernel: processes and time come through interfaces.
#include <algorithm>
#include <cmath>

#include "bench/noise.h"
#include "bench/schedule.h"
#include "bench/statistics.h"
#include "fusekit/bench.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

constexpr double kSlotSeconds = 0.025;    // timed part of a slot, at least
constexpr double kSlowRun = 0.1;          // above this, a lead-in run costs more than cold caches distort
constexpr int kLongestSlot = 500;         // runs
constexpr std::size_t kMostBlocks = 100;  // a process: more only repeats the same placement
constexpr int kLeastWarmup = 4;           // the profiling executor takes run 1 to look, run 2 to compile
constexpr double kUntilSeconds = 3.5;  // a process's time with until_ci: more processes are worth more than longer ones
constexpr double kWarmupShare = 0.3;   // of a process's time, at most

void check(const std::vector<Variant>& variants, const Options& options) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorKind::usage, what); };
  if (variants.empty()) refuse("no model to measure");
  if (options.processes < 1) refuse("--processes must be at least 1");
  if (!(options.max_seconds > 0)) refuse("--max-time must be above 0");
  if (options.iterations && *options.iterations < 1) refuse("--iter must be at least 1");
  if (options.warmup && *options.warmup < 0) refuse("--warmup must not be negative");
  if (options.until_ci && !(*options.until_ci > 0)) refuse("--until-ci must be above 0");
  if (!(options.confidence > 0.5 && options.confidence < 1)) refuse("the confidence must lie between 0.5 and 1");
}

bool same(const RuntimeOptions& a, const RuntimeOptions& b) { return a.threads == b.threads && a.engine == b.engine; }

/// The processes of one round: one for each distinct runtime; each variant knows its own.
class Team {
 public:
  Team(const std::vector<Variant>& variants, Launcher& launcher) : variants_(variants) {
    std::vector<const RuntimeOptions*> runtimes;
    for (const Variant& variant : variants) {
      const auto found = std::find_if(runtimes.begin(), runtimes.end(),
                                      [&](const RuntimeOptions* known) { return same(*known, variant.runtime); });
      process_of_.push_back(static_cast<std::size_t>(found - runtimes.begin()));
      if (found == runtimes.end()) runtimes.push_back(&variant.runtime);
    }
    for (const RuntimeOptions* runtime : runtimes) processes_.push_back(launcher.start(*runtime));
  }

  LoadFigures load(std::size_t index, std::size_t padding) {
    return processes_[process_of_[index]]->load(index, variants_[index], padding);
  }
  std::vector<double> run(const Slot& slot) { return processes_[process_of_[slot.variant]]->run(slot); }

  Usage usage() {
    Usage sum;
    for (const auto& process : processes_) {
      const Usage usage = process->usage();
      sum.peak_rss_kib += usage.peak_rss_kib;
      sum.major_faults += usage.major_faults;
      sum.involuntary_switches += usage.involuntary_switches;
      sum.cpu_seconds += usage.cpu_seconds;
    }
    return sum;
  }

 private:
  const std::vector<Variant>& variants_;
  std::vector<std::size_t> process_of_;
  std::vector<std::unique_ptr<Process>> processes_;
};

/// One round: what happens between the start and the end of a team.
class Round {
 public:
  Round(const std::vector<Variant>& variants, const Options& options, Clock& clock, Schedule& schedule, Team& team,
        double deadline)
      : options_(options), clock_(clock), schedule_(schedule), team_(team), deadline_(deadline) {
    trace_.loads.resize(variants.size());
    trace_.warmup_us.resize(variants.size());
  }

  ProcessTrace run(const std::function<void()>& tick) {
    trace_.load_order = schedule_.next_load_order();
    for (std::size_t index : trace_.load_order) {
      trace_.loads[index] = team_.load(index, schedule_.next_padding());
      tick();
    }
    warm_up(tick);
    plan_slots();
    while (wants_more()) {
      const double begin = seconds();
      run_block(tick);
      block_seconds_ = std::max(block_seconds_, seconds() - begin);
    }
    trace_.usage = team_.usage();
    return std::move(trace_);
  }

 private:
  [[nodiscard]] double seconds() const { return static_cast<double>(clock_.now()) * 1e-9; }

  void warm_up(const std::function<void()>& tick) {
    const double latest = seconds() + kWarmupShare * (deadline_ - seconds());
    const int fixed = options_.warmup.value_or(-1);
    for (int round = 0; fixed < 0 || round < fixed; ++round) {
      if (fixed < 0 && round >= kLeastWarmup && (all_steady() || seconds() > latest)) return;
      for (std::size_t index : trace_.load_order) {
        const std::vector<double> times = team_.run({index, 0, 1});
        trace_.warmup_us[index].push_back(times.at(0));
        tick();
      }
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

  void run_block(const std::function<void()>& tick) {
    Block block;
    for (std::size_t index : schedule_.next_block_order()) {
      block.slots.push_back(slots_[index]);
      block.run_us.push_back(team_.run(slots_[index]));
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

/// The widest interval, relative to what it encloses.
double widest(const Report& report) {
  double width = 0;
  for (const Ratio& ratio : report.ratios) width = std::max(width, ratio.interval.high / ratio.interval.low - 1);
  if (!report.ratios.empty()) return width;
  for (const Outcome& outcome : report.outcomes)
    if (outcome.interval) width = std::max(width, outcome.interval->high / outcome.interval->low - 1);
  return width;
}

}  // namespace

Report measure(const std::vector<Variant>& variants, const Options& options, Launcher& launcher, Clock& clock,
               const Progress& progress) {
  check(variants, options);
  NoiseMeter meter;
  const auto seconds = [&] { return static_cast<double>(clock.now()) * 1e-9; };
  const double begin = seconds();
  double share = options.max_seconds / options.processes;
  if (options.until_ci) share = std::min(share, kUntilSeconds);
  const auto least = static_cast<std::size_t>(options.processes);
  Schedule schedule(variants.size(), options.seed);
  std::vector<ProcessTrace> traces;
  Report report;

  const auto tick = [&] {
    if (options.interrupted && options.interrupted())
      throw Error(ErrorKind::usage, "interrupted", "nothing was saved or reported");
    if (!progress) return;
    progress(std::min(1.0, (seconds() - begin) / options.max_seconds),
             fmt::format("process {} of {}{}", traces.size() + 1, least, options.until_ci ? " or more" : ""));
  };
  while (true) {
    tick();
    Team team(variants, launcher);
    // With until_ci every process has the same share; otherwise what an earlier one left over goes to the later ones.
    const double deadline =
        options.until_ci ? seconds() + share : begin + share * static_cast<double>(traces.size() + 1);
    traces.push_back(Round(variants, options, clock, schedule, team, deadline).run(tick));
    if (traces.size() < least) continue;
    if (!options.until_ci) break;
    report = judge(variants, traces, options.confidence);
    report.reached_ci = traces.size() >= 3 && widest(report) <= *options.until_ci;
    if (report.reached_ci || seconds() - begin + share > options.max_seconds) break;
  }
  const bool reached = report.reached_ci;
  Usage usage;
  for (const ProcessTrace& trace : traces) {
    usage.major_faults += trace.usage.major_faults;
    usage.involuntary_switches += trace.usage.involuntary_switches;
    usage.cpu_seconds += trace.usage.cpu_seconds;
  }
  report = judge(variants, std::move(traces), options.confidence);
  report.reached_ci = reached;
  report.seconds = seconds() - begin;
  report.environment = this_environment(clock);
  report.noise = meter.read(usage);
  add_noise_warnings(report);
  if (options.until_ci && !reached)
    report.warnings.push_back(
        fmt::format("the interval did not get narrower than {:.3g} % within {:.0f} s; give "
                    "--max-time more or the machine less to do",
                    100 * *options.until_ci, options.max_seconds));
  return report;
}

}  // namespace fusekit::bench
