#include "verify/side_by_side.h"

#include "runtime/seed_guard.h"
#include "verify/compare.h"
#include "verify/detections.h"
#include "verify/metrics.h"
#include "verify/one_run.h"
#include "verify/state.h"

namespace fusekit::gate {
namespace {

using inputs::Sample;

/// Outputs first, then what was written into the inputs, then what was printed. The report counts detections.
Comparison compare_runs(const Run& a, const Run& b, VerifyReport& report) {
  const AlignedOutputs outputs = align_detections(a.output, b.output);
  Comparison all = compare(outputs.a, outputs.b);
  report.detections += outputs.detections;
  report.matched += outputs.matched;
  report.moved += outputs.moved;
  if (outputs.share_alone() > report.most_alone)
    all.failure = fmt::format("{} of {} detections have no counterpart", outputs.alone(), outputs.detections);
  for (std::size_t k = 0; k < a.inputs.size() && all.failure.empty(); ++k) {
    const Comparison input = compare(a.inputs[k], b.inputs[k], fmt::format("input[{}]", k));
    if (input.error.max_rel > all.error.max_rel) all.worst_at = input.worst_at;
    if (input.error.max_abs > 0) all.error = worse(all.error, input.error);
    if (!input.failure.empty()) all.failure = "what is written into " + input.failure;
  }
  if (all.failure.empty() && a.printed != b.printed) all.failure = "the networks print different text";
  return all;
}

/// Takes one run's comparison into the report; false where no later run could be told apart from this failure.
bool take(VerifyReport& report, const Comparison& comparison, const std::string& run) {
  if (comparison.error.max_rel > report.worst.max_rel || report.worst_at.empty()) report.worst_at = comparison.worst_at;
  report.worst = worse(report.worst, comparison.error);
  if (!comparison.failure.empty()) {
    if (report.failure.empty()) report.failure = run + ": " + comparison.failure;
    report.differs_in_kind = true;
    return false;
  }
  if (comparison.error.max_rel > report.tolerance && report.failure.empty())
    report.failure = fmt::format("{}: {} is off by {:.2g} of its largest value, more than {:.2g}", run,
                                 comparison.worst_at, comparison.error.max_rel, report.tolerance);
  if (report.min_sqnr_db && comparison.error.sqnr_db < *report.min_sqnr_db && report.failure.empty())
    report.failure =
        fmt::format("{}: the SQNR is {:.1f} dB, less than {:.4g}", run, comparison.error.sqnr_db, *report.min_sqnr_db);
  return true;
}

/// Runs both on one sample as often as asked for; false where that is enough to know that they differ.
class Pair {
 public:
  Pair(const Runnable& a, const Runnable& b, const Course& course, VerifyReport& report)
      : a_(a), b_(b), course_(course), report_(report), state_(*a.tree) {}

  bool run(const std::string& name, const Sample& sample) {
    for (int k = 0; k < report_.runs; ++k)
      if (!run_once_on(sample, fmt::format("run {} of {}", k + 1, name))) return false;
    return true;
  }

 private:
  bool run_once_on(const Sample& sample, const std::string& run) {
    const Run ours = run_once(a_, course_.a_name, course_.method, sample, captured_);
    if (ours.problem) throw course_.cannot_run(run, *ours.problem);
    const Run theirs = run_once(b_, course_.b_name, course_.method, sample, captured_);
    if (theirs.problem) {
      if (report_.failure.empty())
        report_.failure = fmt::format("{}: {} fails: {}", run, course_.b_name, *theirs.problem);
      report_.differs_in_kind = true;
      return false;
    }
    const Comparison comparison = compare_runs(ours, theirs, report_);
    report_.compared += comparison.compared;
    if (!take(report_, comparison, run)) return false;
    return b_.tree == nullptr || take(report_, state_.compare_written(*b_.tree), run);
  }

  const Runnable& a_;
  const Runnable& b_;
  const Course& course_;
  VerifyReport& report_;
  State state_;
  runtime::CapturedOutput captured_;
};

}  // namespace

void run_side_by_side(const Runnable& a, const Runnable& b, const Course& course, VerifyReport& report) {
  const torch::NoGradGuard no_grad;
  const runtime::SeedGuard seed_guard;
  if (!b.has(course.method)) {
    report.failure = fmt::format("{} has no method \"{}\"", course.b_name, course.method);
    report.differs_in_kind = true;
    return;
  }
  Pair pair(a, b, course, report);
  for (int k = 0; k < report.samples; ++k) {
    const auto [name, sample] = course.sample(static_cast<std::size_t>(k));
    if (course.progress) course.progress(static_cast<double>(k) / report.samples, "verifying on " + name);
    if (!pair.run(name, sample)) return;
  }
  report.passed = report.failure.empty();
}

}  // namespace fusekit::gate
