#pragma once

#include <optional>
#include <span>

#include "bench/statistics.h"

/// Confidence intervals from rank tests. They assume no normal distribution and are robust against outliers.
namespace fusekit::bench {

/// The centre of a symmetric distribution: the Hodges-Lehmann estimate (median of the averages of all pairs, each value
/// also paired with itself) and the interval that inverts Wilcoxon's exact signed-rank test (Hollander & Wolfe 1999,
/// sections 3.2 and 3.3). `detectable` is that of a Student's interval of the same width. nullopt: there is no such
/// interval for so few values (below 6 at 95 %).
std::optional<Estimate> signed_rank_estimate(std::span<const double> values, double confidence);

/// The signed-rank interval from eight values on, where it is robust against two outliers; Student's for fewer.
Estimate centre_estimate(std::span<const double> values, double confidence);

/// The shift from a to b, two distributions of the same shape: the median of all differences and the interval that inverts
/// Wilcoxon's exact rank-sum test (Hollander & Wolfe 1999, sections 4.2 and 4.3; its normal approximation where either
/// has 50 or more values). `detectable` as above. nullopt: there is no such interval for so few values (below 4 and 4 at
/// 95 %).
std::optional<Estimate> rank_sum_estimate(std::span<const double> a, std::span<const double> b, double confidence);

/// The rank-sum interval from eight values each on; Welch's for fewer. Needs at least two values each.
Estimate shift_estimate(std::span<const double> a, std::span<const double> b, double confidence);

}  // namespace fusekit::bench
