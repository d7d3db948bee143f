// Is it slower than before, beyond doubt?
#include <cmath>

#include "bench/statistics.h"
#include "fusekit/bench.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

Gate gate_from(const Estimate& log_slowdown, const std::string& label, const std::string& before, double allowed) {
  Gate gate;
  gate.slowdown = std::exp(log_slowdown.centre) - 1;
  gate.interval = {std::exp(log_slowdown.interval.low) - 1, std::exp(log_slowdown.interval.high) - 1};
  gate.detectable = std::exp(log_slowdown.detectable) - 1;
  gate.regressed = gate.interval.low > allowed;
  const std::string range = fmt::format("({:+.2f} to {:+.2f} %)", 100 * gate.interval.low, 100 * gate.interval.high);
  if (gate.regressed) {
    gate.text = fmt::format("{} is {:.2f} % slower than {} {}, allowed are {:.3g} %", label, 100 * gate.slowdown,
                            before, range, 100 * allowed);
  } else {
    gate.text = fmt::format("{} against {}: time {:+.2f} % {}, no regression of over {:.3g} % beyond doubt", label,
                            before, 100 * gate.slowdown, range, 100 * allowed);
  }
  if (!gate.regressed && gate.interval.high > allowed)
    gate.text += fmt::format("; it could have been sure of {:.2g} %", 100 * (allowed + gate.detectable));
  return gate;
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
    if (x.threads != y.threads) return differs("--threads", x.threads, y.threads);
    if (x.engine != y.engine) return differs("--engine", x.engine, y.engine);
    if (x.dtype != y.dtype) return differs("--dtype", x.dtype, y.dtype);
    if (x.streams != y.streams) return differs("--streams", x.streams, y.streams);
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

std::vector<Gate> compare_with_baseline(const Report& now, const Report& baseline, double max_regression,
                                        bool allow_mismatch) {
  if (now.outcomes.size() != baseline.outcomes.size())
    throw Error(ErrorKind::usage,
                fmt::format("the baseline has {} models, this run {}", baseline.outcomes.size(), now.outcomes.size()),
                "give the same models in the same order");
  const std::string mismatch = mismatch_of(now, baseline);
  if (!mismatch.empty() && !allow_mismatch)
    throw Error(ErrorKind::usage, "the baseline was measured with another setting: " + mismatch,
                "measure it again here, compare with --baseline-model OLD.pt, or give --ignore-mismatch");
  std::vector<Gate> gates;
  for (std::size_t i = 0; i < now.outcomes.size(); ++i) {
    const std::vector<double> before = logs_of(baseline.outcomes[i]);
    const std::vector<double> after = logs_of(now.outcomes[i]);
    if (before.size() < 2 || after.size() < 2)
      throw Error(ErrorKind::usage, "a baseline needs the medians of at least two processes", "leave out --quick");
    gates.push_back(gate_from(welch_estimate(before, after, now.confidence), now.outcomes[i].label, "the baseline",
                              max_regression));
  }
  return gates;
}

Gate gate_of(const Report& report, const Ratio& ratio, double max_regression) {
  // `ratio` is a speed; a slowdown is its inverse.
  const Estimate estimate{-std::log(ratio.ratio),
                          {-std::log(ratio.interval.high), -std::log(ratio.interval.low)},
                          std::log1p(ratio.detectable)};
  return gate_from(estimate, report.outcomes.at(ratio.variant).label, report.outcomes.at(ratio.against).label,
                   max_regression);
}

}  // namespace fusekit::bench
