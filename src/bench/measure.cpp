// The measurement as the parent sees it: fresh processes, warm-up, blocks, and when to stop. It knows neither LibTorch
// nor the kernel: processes and time come through interfaces.
#include <algorithm>
#include <cmath>

#include "bench/noise.h"
#include "bench/round.h"
#include "bench/schedule.h"
#include "fusekit/bench.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

constexpr double kUntilSeconds = 3.5;  // a process's time with until_ci: more processes are worth more than longer ones

void check(const std::vector<Variant>& variants, const Options& options) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorKind::usage, what); };
  if (variants.empty()) refuse("no model to measure");
  for (const Variant& variant : variants) {
    if (variant.against >= variants.size()) refuse(variant.label + " is compared with a variant that is not there");
    if (variant.streams < 1) refuse("--streams must be at least 1");
    if (variant.samples < 1) refuse(variant.label + ": a run must handle at least one sample");
  }
  if (options.processes < 1) refuse("--processes must be at least 1");
  if (!(options.max_seconds > 0)) refuse("--max-time must be above 0");
  if (options.iterations && *options.iterations < 1) refuse("--iter must be at least 1");
  if (options.warmup && *options.warmup < 0) refuse("--warmup must not be negative");
  if (options.until_ci && !(*options.until_ci > 0)) refuse("--until-ci must be above 0");
  if (!(options.confidence > 0.5 && options.confidence < 1)) refuse("the confidence must lie between 0.5 and 1");
}

/// The widest interval, relative to what it encloses.
double widest(const Report& report) {
  double width = 0;
  for (const Ratio& ratio : report.ratios) width = std::max(width, ratio.interval.high / ratio.interval.low - 1);
  if (!report.ratios.empty()) return width;
  for (const Outcome& outcome : report.outcomes)
    if (outcome.interval) width = std::max(width, outcome.interval->high / outcome.interval->low - 1);
  return width;
}

/// The whole measurement, from the first process to the report.
class Measurement {
 public:
  Measurement(const std::vector<Variant>& variants, const Options& options, Launcher& launcher, Clock& clock,
              const Progress& progress)
      : variants_(variants),
        options_(options),
        launcher_(launcher),
        clock_(clock),
        progress_(progress),
        schedule_(variants.size(), options.seed),
        begin_(seconds()) {}

  Report run() {
    const bool reached = run_rounds();
    Report report = judge(variants_, std::move(traces_), options_.confidence);
    report.reached_ci = reached;
    report.seconds = seconds() - begin_;
    report.environment = this_environment(clock_);
    report.noise = meter_.read(usage_);
    add_noise_warnings(report);
    if (options_.until_ci && !reached)
      report.warnings.push_back(
          fmt::format("the interval did not get narrower than {:.3g} % within {:.0f} s; give "
                      "--max-time more or the machine less to do",
                      100 * *options_.until_ci, options_.max_seconds));
    return report;
  }

 private:
  [[nodiscard]] double seconds() const { return static_cast<double>(clock_.now()) * 1e-9; }
  [[nodiscard]] std::size_t least() const { return static_cast<std::size_t>(options_.processes); }

  void tick(const std::string& what) const {
    if (options_.interrupted && options_.interrupted())
      throw Error(ErrorKind::usage, "interrupted", "nothing was saved or reported");
    if (progress_) progress_(std::min(1.0, (seconds() - begin_) / options_.max_seconds), what);
  }

  /// Whether options.until_ci was reached.
  bool run_rounds() {
    double share = options_.max_seconds / options_.processes;
    if (options_.until_ci) share = std::min(share, kUntilSeconds);
    const Tick in_round = [&] {
      tick(fmt::format("process {} of {}{}", traces_.size() + 1, least(), options_.until_ci ? " or more" : ""));
    };
    while (true) {
      in_round();
      Team team(variants_, launcher_);
      // With until_ci every process has the same share; otherwise what an earlier one left over goes to the later ones.
      const double deadline =
          options_.until_ci ? seconds() + share : begin_ + share * static_cast<double>(traces_.size() + 1);
      traces_.push_back(run_round(variants_.size(), options_, clock_, schedule_, team, deadline, in_round));
      count(traces_.back().usage);
      if (traces_.size() < least()) continue;
      if (!options_.until_ci) return false;
      const bool narrow =
          traces_.size() >= 3 && widest(judge(variants_, traces_, options_.confidence)) <= *options_.until_ci;
      if (narrow || seconds() - begin_ + share > options_.max_seconds) return narrow;
    }
  }

  void count(const Usage& usage) {
    usage_.major_faults += usage.major_faults;
    usage_.involuntary_switches += usage.involuntary_switches;
    usage_.cpu_seconds += usage.cpu_seconds;
  }

  const std::vector<Variant>& variants_;
  const Options& options_;
  Launcher& launcher_;
  Clock& clock_;
  const Progress& progress_;
  Schedule schedule_;
  NoiseMeter meter_;
  double begin_;
  std::vector<ProcessTrace> traces_;
  Usage usage_;  ///< of all processes so far
};

}  // namespace

Report measure(const std::vector<Variant>& variants, const Options& options, Launcher& launcher, Clock& clock,
               const Progress& progress) {
  check(variants, options);
  return Measurement(variants, options, launcher, clock, progress).run();
}

}  // namespace fusekit::bench
