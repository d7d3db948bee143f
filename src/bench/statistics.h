#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "fusekit/bench.h"

/// Pure functions; nothing of LibTorch.
namespace fusekit::bench {

constexpr std::size_t kLeastProcesses = 3;  ///< with fewer, an interval over processes says nothing

double mean(std::span<const double> values);
/// With n - 1 in the denominator; 0 for fewer than two values.
double standard_deviation(std::span<const double> values);
/// Linear interpolation between order statistics (Hyndman & Fan 1996, type 7: numpy's and R's default). p in [0,1].
double quantile(std::vector<double> values, double p);
double median(std::vector<double> values);
Percentiles percentiles(std::vector<double> values);
/// Whether the largest of `count` independent values lies above the p-quantile with 95 % confidence: p^count <= 0.05.
bool shows_quantile(std::size_t count, double p);
/// Values above the third quartile + 3 interquartile ranges (Tukey 1977, "far out").
std::size_t far_out(const std::vector<double>& values);

/// Quantile of Student's t distribution with `degrees` of freedom.
double t_quantile(double p, double degrees);

constexpr double kPower = 0.9;  ///< how often Estimate::detectable is found

/// A mean with its two-sided interval, and what it could have shown.
struct Estimate {
  double centre = 0;
  Interval interval;
  /// A true difference of this size is told from 0 in 90 % of cases: (t_(1-a/2) + t_0.9) standard errors.
  double detectable = 0;
};

/// Student's one-sample interval. Needs at least two values.
Estimate t_estimate(std::span<const double> values, double confidence);

/// The centre of a symmetric distribution: the Hodges-Lehmann estimate (median of the averages of all pairs, each value
/// with itself included) and the interval that inverts Wilcoxon's exact signed-rank test (Hollander & Wolfe 1999,
/// sections 3.2 and 3.3). It needs no normal distribution and hardly minds values that lie far out. `detectable` is that
/// of Student's interval of this width. nullopt: no such interval for so few values (below 6 at 95 %).
std::optional<Estimate> signed_rank_estimate(std::span<const double> values, double confidence);

/// The signed-rank interval from eight values on, where it can do without two that lie far out; Student's for fewer.
Estimate centre_estimate(std::span<const double> values, double confidence);

/// mean(b) - mean(a) with the Welch-Satterthwaite degrees of freedom. Needs at least two values each.
Estimate welch_estimate(std::span<const double> a, std::span<const double> b, double confidence);

/// How far b lies above a where both have one shape: the median of all differences and the interval that inverts
/// Wilcoxon's exact rank-sum test (Hollander & Wolfe 1999, sections 4.2 and 4.3; from 50 values in either, by its normal
/// approximation). `detectable` as above. nullopt: no such interval for so few values (below 4 and 4 at 95 %).
std::optional<Estimate> rank_sum_estimate(std::span<const double> a, std::span<const double> b, double confidence);

/// The rank-sum interval from eight values each on; Welch's for fewer. Needs at least two values each.
Estimate shift_estimate(std::span<const double> a, std::span<const double> b, double confidence);

/// Sample autocorrelation at `lag` (denominator n).
double autocorrelation(std::span<const double> values, std::size_t lag);

/// A block length for autocorrelated data: four times the last lag before the autocorrelation stays within
/// +-2 sqrt(log10(n)/n) for five lags (the band of Politis & White 2004, whose factor is 2: too short for the interval of
/// a median of some hundred values, which then covers 82 % instead of 95 %), between 1 and n/6.
std::size_t block_length(std::span<const double> values);

/// The median with its interval: the standard error from a moving-block bootstrap (Kuensch 1989, 2000 resamples), the
/// quantile from Student's t with as many degrees of freedom as there are whole blocks less one.
Estimate bootstrap_median(std::span<const double> values, double confidence, std::uint64_t seed);

/// Pettitt's test (1979) for one change point: `index` is where the second part begins; p is its approximation
/// 2 exp(-6 K^2 / (n^3 + n^2)), at most 1.
struct ChangePoint {
  std::size_t index = 0;
  double p = 1;
};
ChangePoint change_point(std::span<const double> values);

/// How many runs at the start of `times` are warm-up: the fewest after which what follows neither falls from run to run
/// throughout nor from its first third, or its first three, to its last third by more than 2 % (or than three times its
/// own scatter) nor begins with a run that lies above all the later ones by more than that. nullopt: not steady within
/// these times.
std::optional<std::size_t> steady_from(std::span<const double> times);

}  // namespace fusekit::bench
