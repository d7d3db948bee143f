#include "quantize/observe/range_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fusekit::quantize {
namespace {

constexpr int kBins = Histogram::kBins;
double width_of(const Histogram& histogram) { return (histogram.range().max - histogram.range().min) / kBins; }

/// How many values lie in bins [begin, end).
class RunningCounts {
 public:
  explicit RunningCounts(const Histogram& histogram) : sums_(1) {
    for (const float count : histogram.counts()) sums_.push_back(sums_.back() + count);
  }
  [[nodiscard]] double count(int begin, int end) const { return sums_[end] - sums_[begin]; }

 private:
  std::vector<double> sums_;
};

Range of_bins(const Histogram& histogram, int begin, int end) {
  const double width = width_of(histogram);
  const Range range = histogram.range();
  return {begin == 0 ? range.min : range.min + begin * width, end == kBins ? range.max : range.min + end * width};
}

/// P against Q over bins [begin, end): the values clamped into them against the same told in `levels` even levels, each
/// level's share spread evenly over its bins that are not empty.
double divergence(const std::vector<double>& counts, const RunningCounts& running, int begin, int end, int levels) {
  constexpr double smoothed =
      1e-4;  // of the share of an even bin: what an empty bin counts as, so that logs are finite
  const int bins = end - begin;
  const double total = running.count(0, kBins);
  const double kept = running.count(begin, end);
  if (kept == 0) return std::numeric_limits<double>::infinity();

  double sum = 0;
  for (int level = 0; level < levels; ++level) {
    const int first = begin + static_cast<int>(std::int64_t{level} * bins / levels);
    const int last = begin + static_cast<int>(std::int64_t{level + 1} * bins / levels);
    const auto filled = std::count_if(counts.begin() + first, counts.begin() + last, [](double c) { return c > 0; });
    const double even = filled == 0 ? 0 : running.count(first, last) / static_cast<double>(filled) / kept;
    for (int bin = first; bin < last; ++bin) {
      double p = counts[bin];
      if (bin == begin) p += running.count(0, begin);
      if (bin == end - 1) p += running.count(end, kBins);
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
  const RunningCounts running(histogram);
  const auto steps = static_cast<int>(levels.steps() + 1);

  constexpr int stride =
      8;  // thresholds that are tried: 256, the first of which keeps as many bins as there are levels
  const double largest = std::max(std::abs(range.min), std::abs(range.max));
  Range best = range;
  double least = std::numeric_limits<double>::infinity();
  for (int i = stride; i <= kBins; i += stride) {
    const double threshold = largest * i / kBins;
    const int begin = std::clamp(static_cast<int>(std::lround((-threshold - range.min) / width)), 0, kBins);
    const int end = std::clamp(static_cast<int>(std::lround((threshold - range.min) / width)), 0, kBins);
    if (end - begin < steps) continue;
    const double here = divergence(counts, running, begin, end, steps);
    if (here >= least) continue;
    least = here;
    best = of_bins(histogram, begin, end);
  }
  return best;
}

}  // namespace fusekit::quantize
