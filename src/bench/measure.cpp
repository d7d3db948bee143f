// The measurement as the parent sees it: fresh processes, warm-up, blocks, and when to stop. It knows neither LibTorch
// nor the kernel: processes and time come through interfaces.
#include <algorithm>
#include <cmath>

#include "bench/noise.h"
#include "bench/pace.h"
#include "bench/round.h"
#include "bench/schedule.h"
#include "bench/statistics.h"
#include "fusekit/bench.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

constexpr double kProfileSeconds = 1;  // a model
constexpr double kUntilSeconds =
    3.5;  // a process's time with until_ci, at most: more of them are worth more than longer
constexpr std::size_t kLeastUntil = 8;
constexpr double kLate = 1.1;  // times max_seconds

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
  if (commands && options.processes.value_or(kLeastPlanned) < 3)
    refuse("a program can only be compared over at least three processes");
  if (!(options.max_seconds > 0)) refuse("bench::Options::max_seconds must be above 0");
  if (options.iterations && *options.iterations < 1) refuse("bench::Options::iterations must be at least 1");
  if (options.warmup && *options.warmup < 0) refuse("bench::Options::warmup must not be negative");
  if (options.until_ci && !(*options.until_ci > 0)) refuse("bench::Options::until_ci must be above 0");
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
    const bool reached = run_rounds();
    const Noise noise = meter_.read(usage_, measured_);
    Report report = judge(variants_, std::move(traces_), options_.confidence);
    if (options_.profile)
      for (const Variant& model : models_) report.profiles.push_back(profile_of(model));
    report.reached_ci = reached;
    report.seconds = seconds() - begin_;
    report.environment = this_environment(clock_);
    report.noise = noise;
    add_noise_warnings(report);
    if (options_.until_ci && !reached)
      report.warnings.push_back(
          fmt::format("the interval did not get narrower than {:.3g} % within {:.0f} s; give "
                      "bench::Options::max_seconds more or the machine less to do",
                      100 * *options_.until_ci, options_.max_seconds));
    if (report.seconds > kLate * options_.max_seconds && !options_.iterations && !options_.profile)
      report.warnings.push_back(
          fmt::format("it took {:.1f} s instead of {:.3g}: {} process{} {:.1f} s to start, load, warm up and run a "
                      "block of all; give "
                      "bench::Options::max_seconds more, or fewer models and settings",
                      report.seconds, options_.max_seconds, report.traces.size(),
                      report.traces.size() == 1 ? " needs" : "es need up to", pace_.start + pace_.block));
    return report;
  }

 private:
  [[nodiscard]] double seconds() const { return static_cast<double>(clock_.now()) * 1e-9; }
  void tick(const std::string& what) const {
    if (options_.interrupted && options_.interrupted())
      throw Error(ErrorKind::usage, "interrupted", "nothing was saved or reported");
    if (progress_) progress_(std::min(1.0, (seconds() - begin_) / options_.max_seconds), what);
  }

  /// Whether options.until_ci was reached.
  bool run_rounds() {
    const double end = begin_ + options_.max_seconds;
    std::size_t planned = static_cast<std::size_t>(options_.processes.value_or(kFirstGuess));
    if (options_.iterations && !options_.processes) planned = kLeastPlanned;
    const Tick in_round = [&] {
      tick(fmt::format("process {} of {}{}", traces_.size() + 1, planned, options_.until_ci ? " or more" : ""));
    };
    while (true) {
      in_round();
      const auto left = static_cast<double>(planned - std::min(planned, traces_.size()));
      const double now = seconds();
      double deadline = now + (end - now) / std::max(1.0, left);
      if (options_.until_ci) deadline = now + std::min(options_.max_seconds / kLeastPlanned, until_share());
      traces_.push_back(round(deadline, in_round));
      usage_ += traces_.back().usage;
      measured_ += traces_.back().measured;
      if (!options_.processes && !options_.iterations) {
        planned = processes_for(options_.max_seconds, end - seconds(), traces_.size(), pace_);
        if (options_.until_ci) planned = std::min(planned, kLeastUntil);
      }
      if (traces_.size() < planned) continue;
      if (!options_.until_ci) return false;
      const bool narrow =
          traces_.size() >= 3 && widest(judge(variants_, traces_, options_.confidence)) <= *options_.until_ci;
      if (narrow || seconds() + until_share() > end) return narrow;
    }
  }

  /// A process's seconds with until_ci.
  [[nodiscard]] double until_share() const {
    return traces_.empty() ? kUntilSeconds : std::min(kUntilSeconds, worthwhile(pace_));
  }

  /// The models' processes and the other programs, which go first in every second round, so that a drift hits both alike.
  ProcessTrace round(double deadline, const Tick& tick) {
    const bool programs_first = traces_.size() % 2 == 0;
    const double begin = seconds();
    std::vector<Program> programs;
    if (programs_first) programs = run_programs(tick);
    Team team(models_, launcher_);
    const double end = programs_first ? deadline : deadline - program_seconds_;
    RoundResult result = run_round(models_.size(), options_, clock_, schedule_, team, end, tick);
    ProcessTrace& trace = result.trace;
    if (!programs_first) programs = run_programs(tick);
    pace_.start = std::max(pace_.start, result.first_block_at - begin + (programs_first ? 0 : program_seconds_));
    pace_.block = std::max(pace_.block, result.block_seconds);
    for (Program& program : programs) {
      trace.loads.push_back(
          {0, program.warmup_us.empty() ? program.times.run_us.front() : program.warmup_us.front(), 0});
      trace.warmup_us.push_back(std::move(program.warmup_us));
      const Slot slot{trace.warmup_us.size() - 1, 0, static_cast<int>(program.times.run_us.size())};
      trace.blocks.push_back({{slot}, {std::move(program.times)}});
    }
    return std::move(result.trace);
  }

  /// What another program printed, the times until it was steady apart.
  struct Program {
    std::vector<double> warmup_us;
    Times times;
  };

  std::vector<Program> run_programs(const Tick& tick) {
    const double begin = seconds();
    std::vector<Program> programs;
    for (std::size_t i = models_.size(); i < variants_.size(); ++i) {
      tick();
      const std::vector<double> printed = launcher_.times_of(variants_[i].command, options_.max_seconds);
      const auto steady = printed.begin() + static_cast<std::ptrdiff_t>(steady_from(printed).value_or(0));
      Program program{{printed.begin(), steady}, {{steady, printed.end()}, 0}};
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
  std::vector<Variant> models_;  ///< the variants that are no other programs
  const Options& options_;
  Launcher& launcher_;
  Clock& clock_;
  const Progress& progress_;
  Schedule schedule_;
  NoiseMeter meter_;
  double begin_;
  std::vector<ProcessTrace> traces_;
  double program_seconds_ = 0;  ///< that the other programs took in the last round
  Pace pace_;                   ///< the slowest so far
  Usage usage_;                 ///< of all processes so far
  Usage measured_;              ///< the same, during the blocks
};

}  // namespace

Report measure(const std::vector<Variant>& variants, const Options& options, Launcher& launcher, Clock& clock,
               const Progress& progress) {
  check(variants, options);
  return Measurement(variants, options, launcher, clock, progress).run();
}

}  // namespace fusekit::bench
