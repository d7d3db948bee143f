// Times that another tool measured.
#include <cmath>

#include "bench/rank_intervals.h"
#include "bench/statistics.h"
#include "fusekit/bench_analysis.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

constexpr std::size_t kMinTimes = 8;
constexpr std::uint64_t kBootstrapSeed = 1;

std::vector<double> flatten(const std::vector<std::vector<double>>& groups) {
  std::vector<double> all;
  for (const auto& group : groups) all.insert(all.end(), group.begin(), group.end());
  return all;
}

std::vector<double> logs(std::vector<double> values) {
  for (double& value : values) value = std::log(value);
  return values;
}

Outcome outcome_of(const std::vector<std::vector<double>>& groups, const std::string& label) {
  Outcome outcome;
  outcome.label = label;
  for (const auto& group : groups) outcome.process_median_us.push_back(median(group));
  const std::vector<double> all = flatten(groups);
  outcome.median_us = median(outcome.process_median_us);
  outcome.percentiles = percentiles(all);
  outcome.mean_us = mean(all);
  outcome.sample_us = outcome.median_us;
  outcome.runs = all.size();
  outcome.far_out = far_out(all);
  return outcome;
}

/// log(a's time / b's time) from two independent bootstraps: the squares of their widths are added.
Estimate bootstrap_difference(const std::vector<double>& a, const std::vector<double>& b, double confidence) {
  const Estimate of_a = bootstrap_median(logs(a), confidence, kBootstrapSeed);
  const Estimate of_b = bootstrap_median(logs(b), confidence, kBootstrapSeed + 1);
  const double centre = of_a.centre - of_b.centre;
  const double below = std::hypot(of_a.centre - of_a.interval.low, of_b.interval.high - of_b.centre);
  const double above = std::hypot(of_a.interval.high - of_a.centre, of_b.centre - of_b.interval.low);
  return {centre, {centre - below, centre + above}, std::hypot(of_a.detectable, of_b.detectable)};
}

}  // namespace

Report compare_recorded_times(const std::vector<std::vector<double>>& a, const std::string& label_a,
                              const std::vector<std::vector<double>>& b, const std::string& label_b,
                              double confidence) {
  Report report;
  report.confidence = confidence;
  report.outcomes = {outcome_of(a, label_a), outcome_of(b, label_b)};
  Estimate estimate;
  if (std::min(a.size(), b.size()) >= kMinProcesses) {
    estimate = shift_estimate(logs(report.outcomes[1].process_median_us), logs(report.outcomes[0].process_median_us),
                              confidence);
  } else {
    if (std::min(report.outcomes[0].runs, report.outcomes[1].runs) < kMinTimes)
      throw Error(
          ErrorKind::input,
          fmt::format("{} times against {} are too few to compare", report.outcomes[0].runs, report.outcomes[1].runs),
          fmt::format("give at least {} of each", kMinTimes));
    estimate = bootstrap_difference(flatten(a), flatten(b), confidence);
    report.warnings.emplace_back(
        "these times come from fewer than three processes each: the interval does not include differences between "
        "processes (often 0.1 to 3 %); separate the processes by blank lines");
  }
  Ratio ratio;
  ratio.variant = 1;
  ratio.ratio = std::exp(estimate.centre);
  ratio.interval = {std::exp(estimate.interval.low), std::exp(estimate.interval.high)};
  ratio.detectable = std::exp(estimate.detectable) - 1;
  if (ratio.interval.low > 1) ratio.verdict = Verdict::faster;
  if (ratio.interval.high < 1) ratio.verdict = Verdict::slower;
  report.ratios.push_back(std::move(ratio));
  return report;
}

}  // namespace fusekit::bench
