#pragma once

#include <string>
#include <vector>

#include "fusekit/bench_report.h"
#include "fusekit/bench_variant.h"

/// Performance regressions: is a file slower than before?
namespace fusekit::bench {

/// The result of one check. Several checks share one error rate, 1 - Report::confidence (Holm 1979): where nothing is
/// slower, all of them together give a false alarm no more often than a single check would. Each one is tested at the
/// confidence 1 - rate / (number of checks that have not found a regression so far).
struct RegressionCheck {
  bool regressed = false;  ///< significantly slower by more than is allowed: interval.low > allowed
  /// Neither regressed nor significantly within what is allowed: interval.high > allowed. The measurement could not tell.
  bool inconclusive = false;
  double slowdown = 0;    ///< relative change of the time: 0.05 is 5 % slower
  Interval interval;      ///< of `slowdown`
  double confidence = 0;  ///< of `interval`; higher where several checks share one error rate
  double detectable = 0;  ///< minimum detectable difference, as in Ratio
  std::string text;       ///< one line for people
};

/// "regressed", "passed" or "inconclusive".
const char* name_of_verdict(const RegressionCheck& check);

/// The settings and the machine that a report of these variants will have, without figures: for check_baseline.
Report unmeasured(const std::vector<Variant>& variants);

/// Error{usage} where `baseline` has other models than `now`. Unless `allow_mismatch`, also where it was measured on
/// another machine, with another LibTorch or in other settings. Reads only labels, settings and the environment of
/// `now`, so that it can be called before the measurement.
void check_baseline(const Report& now, const Report& baseline, bool allow_mismatch);

/// Compares a report with an earlier one of the same variant, or of variants with the same labels in the same order.
/// Throws what check_baseline throws.
std::vector<RegressionCheck> compare_with_baseline(const Report& now, const Report& baseline, double max_regression,
                                                   bool allow_mismatch);

/// Checks `ratios` of one interleaved measurement of the old file (Ratio::against) and the new one. This detects smaller
/// regressions than a comparison with a stored baseline.
std::vector<RegressionCheck> check_for_regressions(const Report& report, const std::vector<Ratio>& ratios,
                                                   double max_regression);

}  // namespace fusekit::bench
