#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "quantize/observe/range_search.h"

namespace fusekit::quantize {
namespace {

/// The expected squared error of levels over a part of the bins, rounding and clipping together.
class SquaredError {
 public:
  SquaredError(const Histogram& histogram, Levels levels)
      : range_(histogram.range()), width_((range_.max - range_.min) / Histogram::kBins), levels_(levels) {
    for (int bin = 0; bin < Histogram::kBins; ++bin) {
      counts_[bin] = histogram.counts()[bin];
      values_[bin] = value_of(bin);
    }
  }

  [[nodiscard]] Range of_bins(int begin, int end) const {
    return {begin == 0 ? range_.min : range_.min + begin * width_,
            end == Histogram::kBins ? range_.max : range_.min + end * width_};
  }

  [[nodiscard]] double operator()(int begin, int end) const {
    const QParams qparams = affine_qparams(of_bins(begin, end), levels_);
    const auto zero = static_cast<double>(qparams.zero_point);
    const double lowest = static_cast<double>(levels_.low) - zero;
    const double highest = static_cast<double>(levels_.high) - zero;
    constexpr double round = 0x1.8p52;  // adding and taking it away rounds to a whole number, four at once
    double sum = 0;
    for (int bin = 0; bin < Histogram::kBins; ++bin) {
      const double level = std::min(std::max(values_[bin] / qparams.scale, lowest), highest);
      const double error = (level + round - round) * qparams.scale - values_[bin];
      sum += counts_[bin] * error * error;
    }
    return sum;
  }

  /// The bin in which 0 lies, or the end that is nearest to it.
  [[nodiscard]] int bin_of_zero() const {
    return static_cast<int>(
        std::clamp(std::floor(-range_.min / width_), 0.0, static_cast<double>(Histogram::kBins - 1)));
  }

 private:
  /// What the values of a bin are taken for: its middle, but where they often are all alike (the zeros of a ReLU, the
  /// bounds of a clamp) just that.
  [[nodiscard]] double value_of(int bin) const {
    const double begin = range_.min + bin * width_;
    if (begin <= 0 && begin + width_ > 0) return 0;
    return bin == 0 ? range_.min : bin == Histogram::kBins - 1 ? range_.max : begin + width_ / 2;
  }

  Range range_;
  double width_;
  Levels levels_;
  std::array<double, Histogram::kBins> counts_{}, values_{};
};

}  // namespace

Range least_squared_error(const Histogram& histogram, Levels levels) {
  if (histogram.range().min >= histogram.range().max) return histogram.range();
  const SquaredError error_of(histogram, levels);
  // what is kept always holds 0, so that nothing is won by cutting beyond it
  const int zero = error_of.bin_of_zero();
  int begin = 0;
  int end = Histogram::kBins;
  double least = std::numeric_limits<double>::infinity();
  const auto try_all = [&](int begins, int begins_end, int ends, int ends_end, int stride) {
    for (int b = std::max(begins, 0); b <= std::min(begins_end, zero); b += stride) {
      for (int e = std::min(ends_end, Histogram::kBins); e >= std::max(ends, zero + 1); e -= stride) {
        const double error = error_of(b, e);
        if (error >= least) continue;
        least = error;
        begin = b;
        end = e;
      }
    }
  };
  int stride = Histogram::kBins / 32;
  try_all(0, Histogram::kBins, 0, Histogram::kBins, stride);
  while (stride > 1) {
    stride /= 4;
    const int around = 3 * stride;
    try_all(begin - around, begin + around, end - around, end + around, stride);
  }
  return error_of.of_bins(begin, end);
}

}  // namespace fusekit::quantize
