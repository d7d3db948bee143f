#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/rank_intervals.h"
#include "bench/statistics.h"
#include "bench/traces.h"
#include "fusekit/bench_analysis.h"

namespace fusekit::bench {
namespace {

constexpr std::size_t kMinBlocks = 5;        // for an interval from one process alone
constexpr std::uint64_t kBootstrapSeed = 1;  // fixed: a report is a function of its traces

/// The logarithm of the time per sample, one value per slot; with several streams by the wall clock.
std::vector<double> log_costs(const ProcessTrace& trace, const std::vector<Variant>& variants, std::size_t index) {
  const Variant& variant = variants[index];
  std::vector<double> costs = log_costs(trace, index, /*by_wall=*/variant.streams > 1);
  for (double& cost : costs) cost -= std::log(static_cast<double>(variant.samples));
  return costs;
}

/// log(time of the reference / time of the variant) in one process, and the same for each of its blocks, which is needed
/// where there is only one process.
struct ProcessRatio {
  double log_ratio = 0;
  std::vector<double> of_blocks;
};

/// The median over all pairs of runs in the same block: the Hodges-Lehmann estimate of a shift, stratified by block. On a
/// busy machine its spread from process to process is a fifth of the spread of the median of the blocks' ratios.
ProcessRatio process_ratio(const ProcessTrace& trace, const std::vector<Variant>& variants, std::size_t index) {
  const Variant& variant = variants[index];
  const Variant& against = variants[variant.against];
  if (!variant.command.empty() || !against.command.empty())  // an external program's runs are in blocks of their own
    return {median(log_costs(trace, variants, variant.against)) - median(log_costs(trace, variants, index)), {}};
  const double log_samples =
      std::log(static_cast<double>(variant.samples)) - std::log(static_cast<double>(against.samples));
  ProcessRatio ratio;
  std::vector<double> pooled;
  for (const auto& pairs : pair_log_ratios(trace, {variant.against, index, against.streams > 1, variant.streams > 1})) {
    pooled.insert(pooled.end(), pairs.begin(), pairs.end());
    ratio.of_blocks.push_back(median(pairs) + log_samples);
  }
  ratio.log_ratio = median(std::move(pooled)) + log_samples;
  return ratio;
}

Interval exp_of(const Interval& logs) { return {std::exp(logs.low), std::exp(logs.high)}; }

Outcome outcome_of(const std::vector<Variant>& variants, std::size_t index, const std::vector<ProcessTrace>& traces,
                   double confidence) {
  const Variant& variant = variants[index];
  Outcome outcome;
  copy_settings(variant, outcome);
  std::vector<double> logs, costs, loads, firsts, memory, peaks, warmups;
  for (const ProcessTrace& trace : traces) {
    outcome.process_median_us.push_back(median(runs_of(trace, index)));
    logs.push_back(std::log(outcome.process_median_us.back()));
    costs.push_back(std::exp(median(log_costs(trace, variants, index))));
    loads.push_back(trace.loads.at(index).load_us);
    firsts.push_back(trace.loads.at(index).first_us);
    if (index < trace.warmup_us.size()) warmups.push_back(static_cast<double>(trace.warmup_us[index].size()));
    memory.push_back(static_cast<double>(trace.loads.at(index).rss_kib));
    if (index < trace.peak_alone_kib.size() && trace.peak_alone_kib[index] > 0)
      peaks.push_back(static_cast<double>(trace.peak_alone_kib[index]));
  }
  const std::vector<double> all = runs_of(traces, index);
  outcome.median_us = median(outcome.process_median_us);
  outcome.sample_us = variant.streams > 1 ? median(costs) : outcome.median_us / static_cast<double>(variant.samples);
  if (logs.size() >= 2) outcome.interval = exp_of(centre_estimate(logs, confidence).interval);
  outcome.percentiles = percentiles(all);
  outcome.mean_us = mean(all);
  outcome.runs = all.size();
  outcome.far_out = far_out(all);
  outcome.load_us = median(loads);
  outcome.first_us = median(firsts);
  const double first_inference = variant.command.empty() ? 1 : 0;
  if (!warmups.empty()) outcome.warmup_runs = static_cast<std::size_t>(std::ceil(median(warmups) + first_inference));
  outcome.rss_kib = static_cast<std::int64_t>(median(memory));
  if (!peaks.empty()) outcome.peak_rss_kib = static_cast<std::int64_t>(median(peaks));
  return outcome;
}

Ratio ratio_of(const std::vector<Variant>& variants, std::size_t variant, const std::vector<ProcessTrace>& traces,
               double confidence) {
  Ratio ratio;
  ratio.variant = variant;
  ratio.against = variants[variant].against;
  std::vector<double> of_blocks;  // of the first process
  for (const ProcessTrace& trace : traces) {
    ProcessRatio one = process_ratio(trace, variants, variant);
    ratio.process_log_ratios.push_back(one.log_ratio);
    if (ratio.process_log_ratios.size() == 1) of_blocks = std::move(one.of_blocks);
  }
  Estimate estimate;
  if (traces.size() >= kMinProcesses) {
    estimate = centre_estimate(ratio.process_log_ratios, confidence);
  } else if (of_blocks.size() >= kMinBlocks) {
    estimate = bootstrap_median(of_blocks, confidence, kBootstrapSeed);
  } else {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    estimate = {ratio.process_log_ratios.front(), {-infinity, infinity}, infinity};
  }
  ratio.ratio = std::exp(estimate.centre);
  ratio.interval = exp_of(estimate.interval);
  ratio.detectable = std::exp(estimate.detectable) - 1;
  if (ratio.interval.low > 1) ratio.verdict = Verdict::faster;
  if (ratio.interval.high < 1) ratio.verdict = Verdict::slower;
  return ratio;
}

/// Outliers and drift. The interleaving removes a drift from the ratios, but not from the absolute times.
void add_stability_warnings(Report& report) {
  for (std::size_t index = 0; index < report.outcomes.size(); ++index) {
    Outcome& outcome = report.outcomes[index];
    const double share = static_cast<double>(outcome.far_out) / static_cast<double>(outcome.runs);
    if (share > 0.02)
      report.warnings.push_back(
          fmt::format("{}: {} of {} runs ({:.1f} %) are far above the others; they are counted, but hardly affect the "
                      "median",
                      outcome.label, outcome.far_out, outcome.runs, 100 * share));
    std::size_t drifting = 0;
    for (const ProcessTrace& trace : report.traces) {
      const std::vector<double> logs = log_costs(trace, index, /*by_wall=*/false);
      if (logs.size() < 8) continue;
      const ChangePoint change = change_point(logs);
      const auto split = logs.begin() + static_cast<std::ptrdiff_t>(change.index);
      const double step = median({split, logs.end()}) - median({logs.begin(), split});
      if (change.p < 0.01 && std::abs(step) > 0.02) ++drifting;
    }
    if (2 * drifting > report.traces.size())
      report.warnings.push_back(fmt::format(
          "{}: the times shifted by over 2 % during the measurement, in {} of {} processes; this affects the "
          "absolute times, but not the ratios",
          outcome.label, drifting, report.traces.size()));
  }
  if (report.traces.size() < kMinProcesses)
    report.warnings.emplace_back(
        "one process only: two copies of one file differ by 0.1 to 0.7 % within a process, and this interval does not "
        "include that; give bench::Options::processes = 6");
}

}  // namespace

void copy_settings(const Variant& variant, Outcome& outcome) {
  outcome.label = variant.label;
  outcome.model = variant.command.empty() ? variant.model.string() : variant.command;
  outcome.threads = variant.runtime.threads;
  outcome.engine = variant.command.empty() ? variant.runtime.engine : "";
  if (variant.command.empty()) outcome.environment = variant.environment;
  outcome.graph_fuser = variant.graph_fuser;
  outcome.dtype = variant.dtype;
  outcome.streams = variant.streams;
  outcome.samples = variant.samples;
  outcome.inputs = variant.inputs;
  outcome.in_training = variant.in_training;
}

Report analyze(const std::vector<Variant>& variants, std::vector<ProcessTrace> traces, double confidence) {
  Report report;
  report.confidence = confidence;
  for (std::size_t i = 0; i < variants.size(); ++i)
    report.outcomes.push_back(outcome_of(variants, i, traces, confidence));
  for (std::size_t i = 0; i < variants.size(); ++i)
    if (variants[i].against != i) report.ratios.push_back(ratio_of(variants, i, traces, confidence));
  report.traces = std::move(traces);
  add_stability_warnings(report);
  return report;
}

std::string verdict_text(const Report& report, const Ratio& ratio) {
  const std::string& label = report.outcomes.at(ratio.variant).label;
  const std::string& other = report.outcomes.at(ratio.against).label;
  // Three digits where the interval is narrow enough for them.
  const double width = std::abs(ratio.interval.high - ratio.interval.low);
  const int digits = width > 0 && width < 0.02 ? 3 : 2;
  switch (ratio.verdict) {
    case Verdict::faster:
      return fmt::format("{} is {:.{}f}x as fast as {} ({:.{}f} to {:.{}f})", label, ratio.ratio, digits, other,
                         ratio.interval.low, digits, ratio.interval.high, digits);
    case Verdict::slower:
      return fmt::format("{} is {:.{}f}x as fast as {} ({:.{}f} to {:.{}f})", other, 1 / ratio.ratio, digits, label,
                         1 / ratio.interval.high, digits, 1 / ratio.interval.low, digits);
    case Verdict::no_difference:
      break;
  }
  const double seen = 100 * ratio.detectable;
  if (!std::isfinite(seen))
    return fmt::format("too few runs to compare {} and {}; give bench::Options::max_seconds more or more processes",
                       other, label);
  return fmt::format("no measurable difference between {} and {} (could have seen {} %)", other, label,
                     seen < 99.5 ? fmt::format("{:.2g}", seen) : fmt::format("{:.0f}", seen));
}

}  // namespace fusekit::bench
