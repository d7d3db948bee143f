#include "bench/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace fusekit::bench {
namespace {

constexpr int kResamples = 2000;

double quantile_of_sorted(const std::vector<double>& sorted, double p) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double position = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Estimate estimate(double centre, double standard_error, double degrees, double confidence) {
  const double t = t_quantile(0.5 + confidence / 2, degrees);
  return {centre,
          {centre - t * standard_error, centre + t * standard_error},
          (t + t_quantile(kPower, degrees)) * standard_error};
}

double median_absolute_deviation(const std::vector<double>& values) {
  const double centre = median(values);
  std::vector<double> distances;
  for (double value : values) distances.push_back(std::abs(value - centre));
  return median(std::move(distances));
}

/// Whether these times have no falling trend; see steady_state_start.
bool is_steady(std::span<const double> times) {
  const std::size_t third = std::max<std::size_t>(1, times.size() / 3);
  const std::vector<double> all(times.begin(), times.end());
  const std::vector<double> last(times.end() - static_cast<std::ptrdiff_t>(third), times.end());
  const std::vector<double> rest(times.begin() + 1, times.end());
  // Scaled so that it estimates the standard deviation of normally distributed values.
  const double scatter = 1.4826 * median_absolute_deviation(rest);
  const double level = median(last);
  const double allowed = std::max(0.02 * level, 3 * scatter);
  const double begin = median({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(third)});
  const double start =
      median({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(3, all.size()))});
  if (std::max(begin, start) - level > allowed) return false;
  if (std::is_sorted(times.rbegin(), times.rend()) && times.front() > 1.02 * times.back()) return false;  // still falls
  return all.front() - *std::max_element(rest.begin(), rest.end()) <= allowed;
}

}  // namespace

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double centre = mean(values);
  double sum = 0;
  for (double value : values) sum += (value - centre) * (value - centre);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double quantile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  return quantile_of_sorted(values, p);
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

Percentiles percentiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double p) { return quantile_of_sorted(values, p); };
  const auto supported = [&](double p) {
    return supports_quantile(values.size(), p) ? std::optional<double>(at(p)) : std::nullopt;
  };
  return {at(0), at(0.5), supported(0.9), supported(0.99), supported(0.999), at(1)};
}

bool supports_quantile(std::size_t count, double p) { return std::pow(p, static_cast<double>(count)) <= 0.05; }

std::size_t far_out(const std::vector<double>& values) {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const double q1 = quantile_of_sorted(sorted, 0.25);
  const double q3 = quantile_of_sorted(sorted, 0.75);
  const double fence = q3 + 3 * (q3 - q1);
  return static_cast<std::size_t>(sorted.end() - std::upper_bound(sorted.begin(), sorted.end(), fence));
}

double t_quantile(double p, double degrees) {
  return boost::math::quantile(boost::math::students_t_distribution<double>(degrees), p);
}

Estimate t_estimate(std::span<const double> values, double confidence) {
  const auto n = static_cast<double>(values.size());
  return estimate(mean(values), standard_deviation(values) / std::sqrt(n), n - 1, confidence);
}

Estimate welch_estimate(std::span<const double> a, std::span<const double> b, double confidence) {
  const auto variance_of_mean = [](std::span<const double> values) {
    const double deviation = standard_deviation(values);
    return deviation * deviation / static_cast<double>(values.size());
  };
  const double va = variance_of_mean(a);
  const double vb = variance_of_mean(b);
  const double sum = va + vb;
  const double difference = mean(b) - mean(a);
  if (sum == 0) return {difference, {difference, difference}, 0};
  const double degrees =
      sum * sum / (va * va / static_cast<double>(a.size() - 1) + vb * vb / static_cast<double>(b.size() - 1));
  return estimate(difference, std::sqrt(sum), degrees, confidence);
}

double autocorrelation(std::span<const double> values, std::size_t lag) {
  const double centre = mean(values);
  double total = 0;
  double shared = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    total += (values[i] - centre) * (values[i] - centre);
    if (i + lag < values.size()) shared += (values[i] - centre) * (values[i + lag] - centre);
  }
  return total == 0 ? 0 : shared / total;
}

std::size_t block_length(std::span<const double> values) {
  constexpr std::size_t small_lags = 5;
  const std::size_t n = values.size();
  if (n < 8) return 1;
  const double band = 2 * std::sqrt(std::log10(static_cast<double>(n)) / static_cast<double>(n));
  std::size_t last = 0;
  for (std::size_t lag = 1; lag < n / 2 && lag <= last + small_lags; ++lag)
    if (std::abs(autocorrelation(values, lag)) > band) last = lag;
  return std::clamp<std::size_t>(4 * last, 1, std::max<std::size_t>(1, n / 6));
}

Estimate bootstrap_median(std::span<const double> values, double confidence, std::uint64_t seed) {
  const std::size_t n = values.size();
  const std::size_t length = block_length(values);
  std::mt19937_64 generator(seed);
  std::uniform_int_distribution<std::size_t> start(0, n - length);
  std::vector<double> medians;
  for (int k = 0; k < kResamples; ++k) {
    std::vector<double> resample;
    while (resample.size() < n) {
      const std::size_t from = start(generator);
      for (std::size_t i = from; i < from + length && resample.size() < n; ++i) resample.push_back(values[i]);
    }
    medians.push_back(median(std::move(resample)));
  }
  const auto whole_blocks = n / length;
  const auto blocks = static_cast<double>(whole_blocks);
  return estimate(median({values.begin(), values.end()}), standard_deviation(medians), std::max(1.0, blocks - 1),
                  confidence);
}

ChangePoint change_point(std::span<const double> values) {
  const std::size_t n = values.size();
  ChangePoint found;
  double largest = 0;
  double u = 0;  // sum of sign(x_i - x_j) over i before the change point, j after it
  for (std::size_t t = 0; t + 1 < n; ++t) {
    for (double other : values) u += static_cast<double>((values[t] > other) - (values[t] < other));
    if (std::abs(u) > largest) {
      largest = std::abs(u);
      found.index = t + 1;
    }
  }
  const auto count = static_cast<double>(n);
  found.p = std::min(1.0, 2 * std::exp(-6 * largest * largest / (count * count * count + count * count)));
  return found;
}

std::optional<std::size_t> steady_state_start(std::span<const double> times) {
  constexpr std::size_t at_least = 3;  // fewer runs do not show a steady state
  for (std::size_t from = 0; from + at_least <= times.size(); ++from)
    if (is_steady(times.subspan(from))) return from;
  return std::nullopt;
}

}  // namespace fusekit::bench
