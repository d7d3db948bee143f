#include "bench/rank_intervals.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <numeric>

namespace fusekit::bench {
namespace {

constexpr std::size_t kMinForRanks = 8;  // the intervals of fewer values are not robust against outliers

/// The largest k with P(V < k) <= tail, given the probability of each value of V.
std::size_t critical_value(const std::vector<double>& probabilities, double tail) {
  std::size_t value = 0;
  for (double below = probabilities[0]; below <= tail; below += probabilities[value]) ++value;
  return value;
}

/// The critical value of the signed-rank test of `count` values: the largest k with P(V < k) <= tail, where V is the sum of
/// the ranks of the positive values. The interval leaves out so many of the ordered Walsh averages at each end. 0: there
/// are too few values for this confidence.
std::size_t signed_rank_critical_value(std::size_t count, double tail) {
  std::vector<double> probabilities(count * (count + 1) / 2 + 1);  // of each value of V
  probabilities[0] = 1;
  for (std::size_t rank = 1; rank <= count; ++rank)
    for (std::size_t sum = probabilities.size(); sum-- > 0;)
      probabilities[sum] = 0.5 * (probabilities[sum] + (sum >= rank ? probabilities[sum - rank] : 0));
  return critical_value(probabilities, tail);
}

/// The same for the rank-sum test: U is the number of differences of two samples that are below 0.
std::size_t rank_sum_critical_value(std::size_t a, std::size_t b, double tail) {
  constexpr std::size_t exact_below = 50;  // from here on, the normal approximation is precise enough
  if (std::max(a, b) >= exact_below) {
    const auto m = static_cast<double>(a), n = static_cast<double>(b);
    const double deviation = std::sqrt(m * n * (m + n + 1) / 12);
    return static_cast<std::size_t>(
        std::max(0.0, 0.5 * m * n - boost::math::quantile(boost::math::normal(), 1 - tail) * deviation));
  }
  // ways[k][u]: number of ways in which k of the ranks so far belong to the first sample, and in u of the pairs so far the
  // second sample's value is below the first's.
  std::vector<std::vector<double>> ways(a + 1, std::vector<double>(a * b + 1));
  ways[0][0] = 1;
  for (std::size_t rank = 0; rank < a + b; ++rank)
    for (std::size_t chosen = std::min(a, rank + 1); chosen > 0; --chosen) {
      const std::size_t above = rank - (chosen - 1);  // number of the second sample's ranks below this one
      for (std::size_t u = a * b + 1; u-- > above;) ways[chosen][u] += ways[chosen - 1][u - above];
    }
  const double all = std::accumulate(ways[a].begin(), ways[a].end(), 0.0);
  for (double& way : ways[a]) way /= all;
  return critical_value(ways[a], tail);
}

/// The interval from the cut-th smallest to the cut-th largest value. `degrees`: the degrees of freedom of a Student's
/// interval of the same width.
Estimate interval_of_ordered(std::vector<double> values, std::size_t cut, double degrees, double confidence) {
  std::sort(values.begin(), values.end());
  Estimate estimate;
  estimate.centre = median(values);
  estimate.interval = {values[cut - 1], values[values.size() - cut]};
  const double t = t_quantile(0.5 + confidence / 2, degrees);
  estimate.detectable = 0.5 * (estimate.interval.high - estimate.interval.low) * (1 + t_quantile(kPower, degrees) / t);
  return estimate;
}

}  // namespace

std::optional<Estimate> signed_rank_estimate(std::span<const double> values, double confidence) {
  const std::size_t cut = signed_rank_critical_value(values.size(), (1 - confidence) / 2);
  if (cut == 0) return std::nullopt;
  std::vector<double> averages;
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = 0; j <= i; ++j) averages.push_back(0.5 * (values[i] + values[j]));
  return interval_of_ordered(std::move(averages), cut, static_cast<double>(values.size() - 1), confidence);
}

std::optional<Estimate> rank_sum_estimate(std::span<const double> a, std::span<const double> b, double confidence) {
  const std::size_t cut = rank_sum_critical_value(a.size(), b.size(), (1 - confidence) / 2);
  if (cut == 0) return std::nullopt;
  std::vector<double> differences;
  for (const double before : a)
    for (const double after : b) differences.push_back(after - before);
  return interval_of_ordered(std::move(differences), cut, static_cast<double>(a.size() + b.size() - 2), confidence);
}

Estimate centre_estimate(std::span<const double> values, double confidence) {
  if (values.size() >= kMinForRanks)
    if (const auto estimate = signed_rank_estimate(values, confidence)) return *estimate;
  return t_estimate(values, confidence);
}

Estimate shift_estimate(std::span<const double> a, std::span<const double> b, double confidence) {
  if (std::min(a.size(), b.size()) >= kMinForRanks)
    if (const auto estimate = rank_sum_estimate(a, b, confidence)) return *estimate;
  return welch_estimate(a, b, confidence);
}

}  // namespace fusekit::bench
