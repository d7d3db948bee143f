#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "fusekit/bench_report.h"

/// Pure functions, independent of LibTorch.
namespace fusekit::bench {

constexpr std::size_t kMinProcesses = 3;  ///< the minimum for an interval over processes

double mean(std::span<const double> values);
/// With n - 1 in the denominator; 0 for fewer than two values.
double standard_deviation(std::span<const double> values);
/// Linear interpolation between order statistics (Hyndman & Fan 1996, type 7: numpy's and R's default). p in [0,1].
double quantile(std::vector<double> values, double p);
double median(std::vector<double> values);
Percentiles percentiles(std::vector<double> values);
/// Whether the largest of `count` independent values lies above the p-quantile with 95 % confidence: p^count <= 0.05.
bool supports_quantile(std::size_t count, double p);
/// Values above the third quartile + 3 interquartile ranges (Tukey 1977, "far out").
std::size_t far_out(const std::vector<double>& values);

/// Quantile of Student's t distribution with `degrees` of freedom.
double t_quantile(double p, double degrees);

constexpr double kPower = 0.9;  ///< the statistical power for Estimate::detectable

/// A mean with its two-sided confidence interval.
struct Estimate {
  double centre = 0;
  Interval interval;
  /// The minimum detectable difference: a true difference of this size is found significant in 90 % of cases. It is
  /// (t_(1-a/2) + t_0.9) standard errors.
  double detectable = 0;
};

/// Student's one-sample interval. Needs at least two values.
Estimate t_estimate(std::span<const double> values, double confidence);

/// mean(b) - mean(a) with the Welch-Satterthwaite degrees of freedom. Needs at least two values each.
Estimate welch_estimate(std::span<const double> a, std::span<const double> b, double confidence);

/// Sample autocorrelation at `lag` (denominator n).
double autocorrelation(std::span<const double> values, std::size_t lag);

/// A block length for autocorrelated data, between 1 and n/6: four times the last lag before the autocorrelation stays
/// within +-2 sqrt(log10(n)/n) for five lags (the band of Politis & White 2004; their factor of 2 instead of four makes
/// blocks that are too short for the median of some hundred values: its interval then covers 82 % instead of 95 %).
std::size_t block_length(std::span<const double> values);

/// The median with its interval: the standard error is that of a moving-block bootstrap (Kuensch 1989, 2000 resamples);
/// the degrees of freedom of Student's t are the number of whole blocks minus one.
Estimate bootstrap_median(std::span<const double> values, double confidence, std::uint64_t seed);

/// Pettitt's test (1979) for one change point: `index` is where the second part begins; p is its approximation
/// 2 exp(-6 K^2 / (n^3 + n^2)), at most 1.
struct ChangePoint {
  std::size_t index = 0;
  double p = 1;
};
ChangePoint change_point(std::span<const double> values);

/// The index at which `times` reaches its steady state; the runs before it are warm-up. It is the first index from which on
/// - the times do not fall from every run to the next,
/// - they fall by at most 2 % (or three times their own scatter) from the first third, or the first three, to the last
///   third,
/// - and the first run does not exceed all later ones by more than that.
/// nullopt: these times reach no steady state.
std::optional<std::size_t> steady_state_start(std::span<const double> times);

}  // namespace fusekit::bench
