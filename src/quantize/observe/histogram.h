#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "quantize/observe/qparams.h"

namespace fusekit::quantize {

/// A histogram of equal bins over all that was added. Its range grows with the data: what was counted is then spread
/// over the new bins, as PyTorch 2's HistogramObserver does (torch/ao/quantization/observer.py of 2.13: forward,
/// _combine_histograms, _upscale_histogram), bit for bit. PyTorch 1.13 cuts the range's ends to integers when it counts
/// (`int(combined_min)`) and so differs; nothing here depends on which LibTorch is linked.
/// One difference is meant: torch.histc counts in float32 and stops at 2^24 in a bin of one sample; this does not.
class Histogram {
 public:
  static constexpr int kBins = 2048;

  /// `x`: contiguous, one-dimensional, float32, with elements, all of them finite and from `range.min` to `range.max`.
  void add(const at::Tensor& x, Range range);

  /// How many fell into each bin: kBins float32 values, not always whole ones after the range has grown.
  [[nodiscard]] const std::vector<float>& counts() const { return counts_; }
  /// The smallest and the largest value: where the first bin begins and the last one ends.
  [[nodiscard]] Range range() const { return range_; }
  [[nodiscard]] bool empty() const { return counts_.empty(); }

 private:
  std::vector<float> counts_;
  Range range_;
};

/// How many of `x` (contiguous float32) fall into each of Histogram::kBins equal bins over `range`, as torch.histc
/// counts: a range of one value is widened by 1 on both sides. Everything in `x` has to lie in `range`.
std::vector<float> count_into_bins(const at::Tensor& x, Range range);

}  // namespace fusekit::quantize
