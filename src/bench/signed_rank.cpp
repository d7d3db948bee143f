// Wilcoxon's signed-rank interval.
#include <algorithm>
#include <cmath>

#include "bench/statistics.h"

namespace fusekit::bench {
namespace {

constexpr double kPowerAsked = 0.9;

/// How many of the ordered Walsh averages are cut off at each end: the largest k with P(V < k) <= tail, V being the sum
/// of the ranks of the positive ones among `count` values around 0. 0: too few values for this confidence.
std::size_t averages_cut_off(std::size_t count, double tail) {
  std::vector<double> chances(count * (count + 1) / 2 + 1);  // of each value of V
  chances[0] = 1;
  for (std::size_t rank = 1; rank <= count; ++rank)
    for (std::size_t sum = chances.size(); sum-- > 0;)
      chances[sum] = 0.5 * (chances[sum] + (sum >= rank ? chances[sum - rank] : 0));
  std::size_t cut = 0;
  for (double below = chances[0]; below <= tail; below += chances[cut]) ++cut;
  return cut;
}

}  // namespace

std::optional<Estimate> signed_rank_estimate(std::span<const double> values, double confidence) {
  const std::size_t cut = averages_cut_off(values.size(), (1 - confidence) / 2);
  if (cut == 0) return std::nullopt;
  std::vector<double> averages;
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = 0; j <= i; ++j) averages.push_back(0.5 * (values[i] + values[j]));
  std::sort(averages.begin(), averages.end());
  Estimate estimate;
  estimate.centre = median(averages);
  estimate.interval = {averages[cut - 1], averages[averages.size() - cut]};
  const auto degrees = static_cast<double>(values.size() - 1);
  const double t = t_quantile(0.5 + confidence / 2, degrees);
  estimate.detectable =
      0.5 * (estimate.interval.high - estimate.interval.low) * (1 + t_quantile(kPowerAsked, degrees) / t);
  return estimate;
}

Estimate centre_estimate(std::span<const double> values, double confidence) {
  constexpr std::size_t robust_from = 8;  // below, cutting off what lies far out would leave next to nothing
  if (values.size() >= robust_from)
    if (const auto estimate = signed_rank_estimate(values, confidence)) return *estimate;
  return t_estimate(values, confidence);
}

}  // namespace fusekit::bench
