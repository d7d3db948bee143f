// Intervals by ranks: Wilcoxon's signed-rank interval for one sample, his rank-sum interval for two.
#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <numeric>

#include "bench/statistics.h"

namespace fusekit::bench {
namespace {

constexpr std::size_t kRobustFrom = 8;  // below, cutting off what lies far out would leave next to nothing

/// The largest k with P(V < k) <= tail, given the chance of each value of V.
std::size_t cut_off(const std::vector<double>& chances, double tail) {
  std::size_t cut = 0;
  for (double below = chances[0]; below <= tail; below += chances[cut]) ++cut;
  return cut;
}

/// How many of the ordered Walsh averages are cut off at each end: the largest k with P(V < k) <= tail, V being the sum
/// of the ranks of the positive ones among `count` values around 0. 0: too few values for this confidence.
std::size_t averages_cut_off(std::size_t count, double tail) {
  std::vector<double> chances(count * (count + 1) / 2 + 1);  // of each value of V
  chances[0] = 1;
  for (std::size_t rank = 1; rank <= count; ++rank)
    for (std::size_t sum = chances.size(); sum-- > 0;)
      chances[sum] = 0.5 * (chances[sum] + (sum >= rank ? chances[sum - rank] : 0));
  return cut_off(chances, tail);
}

/// The same for the ordered differences of two samples, U being how many of these lie below 0.
std::size_t differences_cut_off(std::size_t a, std::size_t b, double tail) {
  constexpr std::size_t exact_below = 50;  // from here on U is as good as normal
  if (std::max(a, b) >= exact_below) {
    const auto m = static_cast<double>(a), n = static_cast<double>(b);
    const double deviation = std::sqrt(m * n * (m + n + 1) / 12);
    return static_cast<std::size_t>(
        std::max(0.0, 0.5 * m * n - boost::math::quantile(boost::math::normal(), 1 - tail) * deviation));
  }
  // ways[k][u]: in which k of the ranks so far are the first sample's and u of all pairs so far have the second's below.
  std::vector<std::vector<double>> ways(a + 1, std::vector<double>(a * b + 1));
  ways[0][0] = 1;
  for (std::size_t rank = 0; rank < a + b; ++rank)
    for (std::size_t chosen = std::min(a, rank + 1); chosen > 0; --chosen) {
      const std::size_t above = rank - (chosen - 1);  // of the second sample's ranks, so many lie below this one
      for (std::size_t u = a * b + 1; u-- > above;) ways[chosen][u] += ways[chosen - 1][u - above];
    }
  const double all = std::accumulate(ways[a].begin(), ways[a].end(), 0.0);
  for (double& way : ways[a]) way /= all;
  return cut_off(ways[a], tail);
}

/// What the ordered values are, with so many cut off at each end; `degrees` is Student's for an interval of this width.
Estimate between(std::vector<double> values, std::size_t cut, double degrees, double confidence) {
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
  const std::size_t cut = averages_cut_off(values.size(), (1 - confidence) / 2);
  if (cut == 0) return std::nullopt;
  std::vector<double> averages;
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = 0; j <= i; ++j) averages.push_back(0.5 * (values[i] + values[j]));
  return between(std::move(averages), cut, static_cast<double>(values.size() - 1), confidence);
}

std::optional<Estimate> rank_sum_estimate(std::span<const double> a, std::span<const double> b, double confidence) {
  const std::size_t cut = differences_cut_off(a.size(), b.size(), (1 - confidence) / 2);
  if (cut == 0) return std::nullopt;
  std::vector<double> differences;
  for (const double before : a)
    for (const double after : b) differences.push_back(after - before);
  return between(std::move(differences), cut, static_cast<double>(a.size() + b.size() - 2), confidence);
}

Estimate centre_estimate(std::span<const double> values, double confidence) {
  if (values.size() >= kRobustFrom)
    if (const auto estimate = signed_rank_estimate(values, confidence)) return *estimate;
  return t_estimate(values, confidence);
}

Estimate shift_estimate(std::span<const double> a, std::span<const double> b, double confidence) {
  if (std::min(a.size(), b.size()) >= kRobustFrom)
    if (const auto estimate = rank_sum_estimate(a, b, confidence)) return *estimate;
  return welch_estimate(a, b, confidence);
}

}  // namespace fusekit::bench
