#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "bench/rank_intervals.h"
#include "bench/statistics.h"
#include "fusekit/bench_regression.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

/// A file and what its time is compared with.
struct Comparison {
  std::string label, reference;
  std::function<Estimate(double)> log_slowdown;  ///< at the given confidence
};

RegressionCheck check_one(const Comparison& comparison, double confidence, bool one_of_several, double allowed) {
  const Estimate log_slowdown = comparison.log_slowdown(confidence);
  RegressionCheck check;
  check.confidence = confidence;
  check.slowdown = std::exp(log_slowdown.centre) - 1;
  check.interval = {std::exp(log_slowdown.interval.low) - 1, std::exp(log_slowdown.interval.high) - 1};
  check.detectable = std::exp(log_slowdown.detectable) - 1;
  check.regressed = check.interval.low > allowed;
  const std::string range = fmt::format("({:+.2f} to {:+.2f} %{})", 100 * check.interval.low, 100 * check.interval.high,
                                        one_of_several ? fmt::format(" at {:.4g} % confidence", 100 * confidence) : "");
  check.inconclusive = !check.regressed && check.interval.high > allowed;
  if (check.regressed) {
    check.text = fmt::format("{} is {:.2f} % slower than {} {}, allowed are {:.3g} %", comparison.label,
                             100 * check.slowdown, comparison.reference, range, 100 * allowed);
  } else if (check.inconclusive) {
    check.text = fmt::format(
        "inconclusive: {} against {}: time {:+.2f} % {}, so that a regression of over {:.3g} % can't be excluded; it "
        "could have been sure of {:.2g} %",
        comparison.label, comparison.reference, 100 * check.slowdown, range, 100 * allowed,
        100 * (allowed + check.detectable));
  } else {
    check.text = fmt::format("{} against {}: time {:+.2f} % {}, no regression of over {:.3g} %", comparison.label,
                             comparison.reference, 100 * check.slowdown, range, 100 * allowed);
  }
  return check;
}

/// Holm's step-down procedure: `rate` is divided by the number of comparisons that have no regression so far, until no
/// further regression is found.
std::vector<RegressionCheck> check_all(const std::vector<Comparison>& comparisons, double rate, double allowed) {
  std::vector<RegressionCheck> checks(comparisons.size());
  std::size_t left = comparisons.size();
  for (bool found = true; found;) {
    found = false;
    const double confidence = 1 - rate / static_cast<double>(std::max<std::size_t>(1, left));
    for (std::size_t i = 0; i < comparisons.size(); ++i) {
      if (checks[i].regressed) continue;
      checks[i] = check_one(comparisons[i], confidence, comparisons.size() > 1, allowed);
      if (!checks[i].regressed) continue;
      found = true;
      --left;
    }
  }
  return checks;
}

/// The logarithm of the ratio, with an interval of the given confidence.
Estimate log_ratio_at(const Report& report, const Ratio& ratio, double confidence) {
  const Estimate known{std::log(ratio.ratio),
                       {std::log(ratio.interval.low), std::log(ratio.interval.high)},
                       std::log1p(ratio.detectable)};
  if (confidence == report.confidence) return known;
  if (ratio.process_log_ratios.size() >= kMinProcesses) return centre_estimate(ratio.process_log_ratios, confidence);
  // A report of one process has only its interval: scale it as a Student's interval with few degrees of freedom.
  constexpr double degrees = 5;
  const double scale = t_quantile(0.5 + confidence / 2, degrees) / t_quantile(0.5 + report.confidence / 2, degrees);
  return {known.centre,
          {known.centre + scale * (known.interval.low - known.centre),
           known.centre + scale * (known.interval.high - known.centre)},
          scale * known.detectable};
}

std::string mismatch_of(const Report& now, const Report& baseline) {
  const Environment& a = now.environment;
  const Environment& b = baseline.environment;
  const auto differs = [](const char* what, const auto& mine, const auto& theirs) {
    return fmt::format("{} (now {}, then {})", what, mine, theirs);
  };
  if (a.cpu != b.cpu) return differs("the CPU", a.cpu, b.cpu);
  if (a.cpus != b.cpus) return differs("the number of CPUs", a.cpus, b.cpus);
  if (a.libtorch != b.libtorch) return differs("LibTorch", a.libtorch, b.libtorch);
  if (a.cpu_quota != b.cpu_quota) return differs("the CPU quota", a.cpu_quota, b.cpu_quota);
  for (std::size_t i = 0; i < now.outcomes.size(); ++i) {
    const Outcome& x = now.outcomes[i];
    const Outcome& y = baseline.outcomes[i];
    if (now.outcomes.size() > 1 && x.label != y.label) return differs("the order of models", x.label, y.label);
    if (x.threads != y.threads) return differs("RuntimeOptions::threads", x.threads, y.threads);
    if (x.engine != y.engine) return differs("RuntimeOptions::engine", x.engine, y.engine);
    if (x.environment != y.environment)
      return differs("bench::Variant::environment", fmt::format("{}", fmt::join(x.environment, " ")),
                     fmt::format("{}", fmt::join(y.environment, " ")));
    if (x.graph_fuser != y.graph_fuser)
      return differs("bench::Variant::graph_fuser", x.graph_fuser ? "on" : "off", y.graph_fuser ? "on" : "off");
    if (x.dtype != y.dtype) return differs("bench::Variant::dtype", x.dtype, y.dtype);
    if (x.streams != y.streams) return differs("bench::Variant::streams", x.streams, y.streams);
    if (x.inputs != y.inputs) return differs("the inputs", x.inputs, y.inputs);
  }
  return {};
}

std::vector<double> logs_of(const Outcome& outcome) {
  std::vector<double> logs;
  for (double us : outcome.process_median_us) logs.push_back(std::log(us));
  return logs;
}

}  // namespace

const char* name_of_verdict(const RegressionCheck& check) {
  return check.regressed ? "regressed" : check.inconclusive ? "inconclusive" : "passed";
}

void check_baseline(const Report& now, const Report& baseline, bool allow_mismatch) {
  if (now.outcomes.size() != baseline.outcomes.size())
    throw Error(ErrorKind::usage,
                fmt::format("the baseline has {} models, this run {}", baseline.outcomes.size(), now.outcomes.size()),
                "give the same models in the same order");
  for (const Outcome& outcome : baseline.outcomes)
    if (outcome.process_median_us.size() < 2)
      throw Error(ErrorKind::usage, "a baseline needs the medians of at least two processes",
                  "save one of several processes");
  const std::string mismatch = mismatch_of(now, baseline);
  if (!mismatch.empty() && !allow_mismatch)
    throw Error(ErrorKind::usage, "the baseline was measured with another setting: " + mismatch,
                "measure it again here, compare with the old file by bench::check_for_regressions, "
                "or give bench::check_baseline's allow_mismatch");
}

std::vector<RegressionCheck> compare_with_baseline(const Report& now, const Report& baseline, double max_regression,
                                                   bool allow_mismatch) {
  check_baseline(now, baseline, allow_mismatch);
  std::vector<Comparison> comparisons;
  for (std::size_t i = 0; i < now.outcomes.size(); ++i) {
    const std::vector<double> before = logs_of(baseline.outcomes[i]);
    const std::vector<double> after = logs_of(now.outcomes[i]);
    if (after.size() < 2)
      throw Error(ErrorKind::usage, "a comparison with a baseline needs at least two processes",
                  "give bench::Options::processes = 2 or more");
    comparisons.push_back({now.outcomes[i].label, "the baseline",
                           [=](double confidence) { return shift_estimate(before, after, confidence); }});
  }
  return check_all(comparisons, 1 - now.confidence, max_regression);
}

std::vector<RegressionCheck> check_for_regressions(const Report& report, const std::vector<Ratio>& ratios,
                                                   double max_regression) {
  std::vector<Comparison> comparisons;
  for (const Ratio& ratio : ratios)
    comparisons.push_back(
        {report.outcomes.at(ratio.variant).label, report.outcomes.at(ratio.against).label,
         [&report, &ratio](double confidence) {  // a ratio is a speed-up; the slowdown is its inverse
           const Estimate speed = log_ratio_at(report, ratio, confidence);
           return Estimate{-speed.centre, {-speed.interval.high, -speed.interval.low}, speed.detectable};
         }});
  return check_all(comparisons, 1 - report.confidence, max_regression);
}

}  // namespace fusekit::bench
