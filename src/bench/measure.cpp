// The parent's part of a measurement: it starts the processes of each round and decides when to stop. It uses processes
// and time only through their interfaces, neither LibTorch nor the kernel.
#include <algorithm>
#include <cmath>

#include "bench/noise.h"
#include "bench/round.h"
#include "bench/round_cost.h"
#include "bench/schedule.h"
#include "bench/statistics.h"
#include "fusekit/bench.h"
#include "fusekit/error.h"
#include "fusekit/interrupted.h"

namespace fusekit::bench {
namespace {

constexpr double kProfileSeconds = 2;    // for each model
constexpr double kUntilCiSeconds = 3.5;  // most for a process with until_ci; more processes help more than longer ones
constexpr std::size_t kUntilCiProcesses = 8;  // at least
constexpr double kOvertime = 1.1;             // warn where it takes longer than this multiple of max_seconds

void check(const std::vector<Variant>& variants, const Options& options) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorKind::usage, what); };
  if (variants.empty() || !variants.front().command.empty()) refuse("no model to measure");
  bool commands = false;
  for (const Variant& variant : variants) {
    if (commands && variant.command.empty()) refuse("programs to compare with come after the models");
    commands = commands || !variant.command.empty();
    if (variant.against >= variants.size()) refuse(variant.label + " is compared with a variant that is not there");
    if (variant.streams < 1) refuse("bench::Variant::streams must be at least 1");
    if (variant.samples < 1) refuse(variant.label + ": a run must handle at least one sample");
  }
  if (options.processes && *options.processes < 1) refuse("bench::Options::processes must be at least 1");
  if (commands && options.processes.value_or(kMinPlanned) < 3)
    refuse("a program can only be compared over at least three processes");
  if (!(options.max_seconds > 0)) refuse("bench::Options::max_seconds must be above 0");
  if (options.iterations && *options.iterations < 1) refuse("bench::Options::iterations must be at least 1");
  if (options.warmup && *options.warmup < 0) refuse("bench::Options::warmup must not be negative");
  if (options.until_ci && !(*options.until_ci > 0)) refuse("bench::Options::until_ci must be above 0");
  if (!(options.confidence > 0.5 && options.confidence < 1)) refuse("the confidence must lie between 0.5 and 1");
}

/// The width of the widest interval, relative to its lower end.
double widest_interval(const Report& report) {
  double width = 0;
  for (const Ratio& ratio : report.ratios) width = std::max(width, ratio.interval.high / ratio.interval.low - 1);
  if (!report.ratios.empty()) return width;
  for (const Outcome& outcome : report.outcomes)
    if (outcome.interval) width = std::max(width, outcome.interval->high / outcome.interval->low - 1);
  return width;
}

std::vector<Variant> models_of(const std::vector<Variant>& variants) {
  std::vector<Variant> models;
  for (const Variant& variant : variants)
    if (variant.command.empty()) models.push_back(variant);
  return models;
}

/// The whole measurement, from the first process to the report.
class Measurement {
 public:
  Measurement(const std::vector<Variant>& variants, const Options& options, Launcher& launcher, Clock& clock,
              const Progress& progress)
      : variants_(variants),
        models_(models_of(variants)),
        options_(options),
        launcher_(launcher),
        clock_(clock),
        progress_(progress),
        schedule_(models_.size(), options.seed),
        begin_(seconds()) {}

  Report run() {
    const bool reached = run_rounds_until_interrupted();
    // What the workers of a round that was interrupted used is not known, and would pass for other programs' work.
    const Noise noise = interrupted_ ? Noise() : meter_.read(usage_, measured_);
    Report report = analyze(variants_, std::move(traces_), options_.confidence);
    if (options_.profile && !interrupted_)
      for (const Variant& model : models_) report.profiles.push_back(profile_of(model));
    report.reached_ci = reached;
    report.interrupted = interrupted_;
    report.seconds = seconds() - begin_;
    report.environment = this_environment(clock_);
    report.noise = noise;
    add_noise_warnings(report);
    if (interrupted_) {
      report.warnings.push_back(fmt::format(
          "interrupted: these are the figures of {} process{}; more of them would have made the intervals narrower",
          report.traces.size(), report.traces.size() == 1 ? "" : "es"));
    } else {
      add_time_warnings(report);
    }
    return report;
  }

 private:
  void add_time_warnings(Report& report) const {
    if (options_.until_ci && !report.reached_ci)
      report.warnings.push_back(
          fmt::format("the interval did not get narrower than {:.3g} % within {:.0f} s; give "
                      "bench::Options::max_seconds more, or end "
                      "other programs",
                      100 * *options_.until_ci, options_.max_seconds));
    if (report.seconds > kOvertime * options_.max_seconds && !options_.iterations && !options_.profile)
      report.warnings.push_back(
          fmt::format("it took {:.1f} s instead of {:.3g}: {} process{} {:.1f} s to start, load, warm up and run one "
                      "block of all variants; give bench::Options::max_seconds more, or fewer models and settings",
                      report.seconds, options_.max_seconds, report.traces.size(),
                      report.traces.size() == 1 ? " needs" : "es need up to", cost_.startup + cost_.block));
  }

  [[nodiscard]] double seconds() const { return static_cast<double>(clock_.now()) * 1e-9; }
  void tick(const std::string& what) const {
    if (options_.interrupted && options_.interrupted()) throw Interrupted();
    if (progress_) progress_(std::min(1.0, (seconds() - begin_) / options_.max_seconds), what);
  }

  /// What was measured until an interrupt is reported, if it is anything. Throws Interrupted where it is nothing.
  bool run_rounds_until_interrupted() {
    try {
      return run_rounds();
    } catch (const Interrupted&) {
      if (traces_.empty()) throw;
      interrupted_ = true;
      return false;
    }
  }

  /// Runs rounds until the time is over or the interval is narrow; returns whether options.until_ci was reached.
  bool run_rounds() {
    const double end = begin_ + options_.max_seconds;
    std::size_t planned = static_cast<std::size_t>(options_.processes.value_or(kInitialPlan));
    if (options_.iterations && !options_.processes) planned = kMinPlanned;
    const Tick in_round = [&] {
      tick(fmt::format("process {} of {}{}", traces_.size() + 1, planned, options_.until_ci ? " or more" : ""));
    };
    while (true) {
      in_round();
      const auto left = static_cast<double>(planned - std::min(planned, traces_.size()));
      const double now = seconds();
      double deadline = now + (end - now) / std::max(1.0, left);
      if (options_.until_ci) deadline = now + std::min(options_.max_seconds / kMinPlanned, until_ci_seconds());
      traces_.push_back(round(deadline, in_round));
      if (interrupted_) return false;
      usage_ += traces_.back().usage;
      measured_ += traces_.back().measured;
      if (!options_.processes && !options_.iterations) {
        planned = plan_processes(options_.max_seconds, end - seconds(), traces_.size(), cost_);
        if (options_.until_ci) planned = std::min(planned, kUntilCiProcesses);
      }
      if (traces_.size() < planned) continue;
      if (!options_.until_ci) return false;
      const bool narrow = traces_.size() >= 3 &&
                          widest_interval(analyze(variants_, traces_, options_.confidence)) <= *options_.until_ci;
      if (narrow || seconds() + until_ci_seconds() > end) return narrow;
    }
  }

  /// The seconds for one process with until_ci.
  [[nodiscard]] double until_ci_seconds() const {
    return traces_.empty() ? kUntilCiSeconds : std::min(kUntilCiSeconds, min_useful_seconds(cost_));
  }

  /// Runs the models' processes and the external programs. The programs are first in every second round, so that a drift
  /// affects both equally.
  ProcessTrace round(double deadline, const Tick& tick) {
    const bool programs_first = traces_.size() % 2 == 0;
    const double begin = seconds();
    std::vector<ProgramTimes> programs;
    if (programs_first) programs = run_programs(tick);
    WorkerPool pool(models_, launcher_);
    const double end = programs_first ? deadline : deadline - program_seconds_;
    RoundResult result = run_round(models_.size(), options_, clock_, schedule_, pool, end, tick);
    ProcessTrace& trace = result.trace;
    interrupted_ = result.interrupted;
    if (interrupted_ && models_.size() < variants_.size()) throw Interrupted();  // the programs are missing
    if (interrupted_) return std::move(trace);
    if (!programs_first) programs = run_programs(tick);
    cost_.startup = std::max(cost_.startup, result.first_block_at - begin + (programs_first ? 0 : program_seconds_));
    cost_.block = std::max(cost_.block, result.block_seconds);
    for (ProgramTimes& program : programs) append_program(trace, std::move(program));
    return std::move(result.trace);
  }

  /// The times that an external program printed.
  struct ProgramTimes {
    std::vector<double> warmup_us;  ///< before its steady state
    Times times;
  };

  /// Adds the program as one more variant, with one slot in a block of its own.
  static void append_program(ProcessTrace& trace, ProgramTimes program) {
    const double first_us = program.warmup_us.empty() ? program.times.run_us.front() : program.warmup_us.front();
    trace.loads.push_back({0, first_us, 0});
    trace.warmup_us.push_back(std::move(program.warmup_us));
    const Slot slot{trace.warmup_us.size() - 1, 0, static_cast<int>(program.times.run_us.size())};
    trace.blocks.push_back({{slot}, {std::move(program.times)}});
  }

  std::vector<ProgramTimes> run_programs(const Tick& tick) {
    const double begin = seconds();
    std::vector<ProgramTimes> programs;
    for (std::size_t i = models_.size(); i < variants_.size(); ++i) {
      tick();
      const std::vector<double> printed = launcher_.times_of(variants_[i].command, options_.max_seconds);
      const auto steady = printed.begin() + static_cast<std::ptrdiff_t>(steady_state_start(printed).value_or(0));
      ProgramTimes program{{printed.begin(), steady}, {{steady, printed.end()}, 0}};
      for (const double us : program.times.run_us) program.times.wall_us += us;
      programs.push_back(std::move(program));
    }
    program_seconds_ = seconds() - begin;
    return programs;
  }

  Profile profile_of(const Variant& model) {
    tick("layers of " + model.label);
    return launcher_.start(model.runtime, model.environment)->profile(model, kProfileSeconds);
  }

  const std::vector<Variant>& variants_;
  std::vector<Variant> models_;  ///< the variants that are not external programs
  const Options& options_;
  Launcher& launcher_;
  Clock& clock_;
  const Progress& progress_;
  Schedule schedule_;
  NoiseMeter meter_;
  double begin_;
  std::vector<ProcessTrace> traces_;
  bool interrupted_ = false;
  double program_seconds_ = 0;  ///< duration of the external programs in the last round
  RoundCost cost_;              ///< the largest values so far
  Usage usage_;                 ///< sum over all processes so far
  Usage measured_;              ///< the part of it during the blocks
};

}  // namespace

Report measure(const std::vector<Variant>& variants, const Options& options, Launcher& launcher, Clock& clock,
               const Progress& progress) {
  check(variants, options);
  return Measurement(variants, options, launcher, clock, progress).run();
}

}  // namespace fusekit::bench
