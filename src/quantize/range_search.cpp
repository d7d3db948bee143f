#include "quantize/range_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fusekit::quantize {
namespace {

constexpr int kBins = Histogram::kBins;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double width_of(const Histogram& histogram) { return (histogram.range().max - histogram.range().min) / kBins; }

/// What the bins hold, and how far apart two positions are in it: sums of the counts, of the values and of their
/// squares, up to each bin, with every value taken to lie in the middle of its bin.
class Moments {
 public:
  explicit Moments(const Histogram& histogram) : counts_(1), sums_(1), squares_(1) {
    const double width = width_of(histogram);
    for (int bin = 0; bin < kBins; ++bin) {
      const double count = histogram.counts()[bin];
      const double middle = histogram.range().min + (bin + 0.5) * width;
      counts_.push_back(counts_.back() + count);
      sums_.push_back(sums_.back() + count * middle);
      squares_.push_back(squares_.back() + count * middle * middle);
    }
  }

  /// The sum over bins [begin, end) of count * (middle - value)^2.
  [[nodiscard]] double squared_distance(int begin, int end, double value) const {
    const double count = counts_[end] - counts_[begin];
    const double sum = sums_[end] - sums_[begin];
    return std::max(0.0, squares_[end] - squares_[begin] - 2 * value * sum + value * value * count);
  }

  [[nodiscard]] double count(int begin, int end) const { return counts_[end] - counts_[begin]; }

 private:
  std::vector<double> counts_, sums_, squares_;
};

/// Squared error where bins [begin, end) are kept and the rest is clamped to their ends: a kept value is off by up to half
/// a step, evenly, and so by step^2 / 12 in the mean.
double squared_error(const Histogram& histogram, const Moments& moments, int begin, int end, Levels levels) {
  const double width = width_of(histogram);
  const double low = std::min(0.0, histogram.range().min + begin * width);
  const double high = std::max(0.0, histogram.range().min + end * width);
  const double step = (high - low) / static_cast<double>(levels.steps());
  return moments.squared_distance(0, begin, low) + moments.squared_distance(end, kBins, high) +
         moments.count(begin, end) * step * step / 12;
}

Range of_bins(const Histogram& histogram, int begin, int end) {
  const double width = width_of(histogram);
  const Range range = histogram.range();
  return {begin == 0 ? range.min : range.min + begin * width, end == kBins ? range.max : range.min + end * width};
}

/// P against Q over bins [begin, end): the values clamped into them against the same told in `levels` even levels, each
/// level's share spread evenly over its bins that are not empty.
double divergence(const std::vector<double>& counts, const Moments& moments, int begin, int end, int levels) {
  constexpr double smoothed =
      1e-4;  // of the share of an even bin: what an empty bin counts as, so that logs are finite
  const int bins = end - begin;
  const double total = moments.count(0, kBins);
  const double kept = moments.count(begin, end);
  if (kept == 0) return kInfinity;

  double sum = 0;
  for (int level = 0; level < levels; ++level) {
    const int first = begin + static_cast<int>(std::int64_t{level} * bins / levels);
    const int last = begin + static_cast<int>(std::int64_t{level + 1} * bins / levels);
    const auto filled = std::count_if(counts.begin() + first, counts.begin() + last, [](double c) { return c > 0; });
    const double even = filled == 0 ? 0 : moments.count(first, last) / static_cast<double>(filled) / kept;
    for (int bin = first; bin < last; ++bin) {
      double p = counts[bin];
      if (bin == begin) p += moments.count(0, begin);
      if (bin == end - 1) p += moments.count(end, kBins);
      if (p == 0) continue;
      const double q = std::max(counts[bin] > 0 ? even : 0, smoothed / bins);
      sum += p / total * std::log(p / total / q);
    }
  }
  return sum;
}

}  // namespace

Range middle_share(const Histogram& histogram, double share) {
  const std::vector<float>& counts = histogram.counts();
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  const double most = total * (1 - share) / 2;  // on each side
  int begin = 0;
  for (double cut = counts[begin]; begin < kBins - 1 && cut <= most; cut += counts[begin]) ++begin;
  int end = kBins;
  for (double cut = counts[end - 1]; end > begin + 1 && cut <= most; cut += counts[end - 1]) --end;
  return of_bins(histogram, begin, end);
}

Range least_divergence(const Histogram& histogram, Levels levels) {
  const Range range = histogram.range();
  const double width = width_of(histogram);
  if (width == 0) return range;
  const std::vector<double> counts(histogram.counts().begin(), histogram.counts().end());
  const Moments moments(histogram);
  const auto steps = static_cast<int>(levels.steps() + 1);

  constexpr int stride =
      8;  // thresholds that are tried: 256, the first of which keeps as many bins as there are levels
  const double largest = std::max(std::abs(range.min), std::abs(range.max));
  Range best = range;
  double least = kInfinity;
  for (int i = stride; i <= kBins; i += stride) {
    const double threshold = largest * i / kBins;
    const int begin = std::clamp(static_cast<int>(std::lround((-threshold - range.min) / width)), 0, kBins);
    const int end = std::clamp(static_cast<int>(std::lround((threshold - range.min) / width)), 0, kBins);
    if (end - begin < steps) continue;
    const double here = divergence(counts, moments, begin, end, steps);
    if (here >= least) continue;
    least = here;
    best = of_bins(histogram, begin, end);
  }
  return best;
}

Range least_squared_error(const Histogram& histogram, Levels levels) {
  if (width_of(histogram) == 0) return histogram.range();
  const Moments moments(histogram);
  int begin = 0;
  int end = kBins;
  double least = squared_error(histogram, moments, begin, end, levels);
  const auto try_bins = [&](int next_begin, int next_end) {
    const double error = squared_error(histogram, moments, next_begin, next_end, levels);
    if (error >= least) return false;
    least = error;
    begin = next_begin;
    end = next_end;
    return true;
  };
  bool moved = true;
  while (moved) {
    moved = false;
    for (int next = 0, last = end; next < last; ++next) moved |= try_bins(next, end);
    for (int next = kBins, first = begin; next > first; --next) moved |= try_bins(begin, next);
  }
  return of_bins(histogram, begin, end);
}

}  // namespace fusekit::quantize
