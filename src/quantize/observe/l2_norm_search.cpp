#include <cmath>
#include <limits>
#include <numeric>

#include "quantize/observe/range_search.h"

namespace fusekit::quantize {
namespace {

constexpr int kOutputBins = 256;  // PyTorch's dst_nbins: 2^8 for quint8 and qint8, reduced or not

// PyTorch runs this on float32 tensors with Python floats (double) beside them, which become float32 where the two meet.
// The search ends when a sum grows, so each rounding counts: the order and the types below are its own.

/// sum over the bins of histogram[i] / width * integral of the squared distance to the level: _compute_quantization_error
class QuantizationError {
 public:
  explicit QuantizationError(const Histogram& histogram)
      : width_((histogram.range().max - histogram.range().min) / Histogram::kBins),
        norms_(at::empty({Histogram::kBins}, at::kFloat)) {
    for (const float count : histogram.counts()) density_.push_back(count / static_cast<float>(width_));
  }

  double operator()(int first, int last) {
    const double level_width = width_ * (last - first + 1) / kOutputBins;
    if (level_width == 0) return 0;
    const auto width = static_cast<float>(width_);
    const auto level = static_cast<float>(level_width);
    const auto half = static_cast<float>(level_width / 2);
    const float whole_level = integral(-half, half);

    float* norms = norms_.data_ptr<float>();
    for (int bin = 0; bin < Histogram::kBins; ++bin) {
      const float begin = static_cast<float>(bin - first) * width;
      const float end = begin + width;
      const float level_of_begin = level_of(begin, level);
      const float level_of_end = level_of(end, level);
      const float centre_of_begin = (level_of_begin + 0.5F) * level;
      const float centre_of_end = level_of_end * level + half;
      float norm = density_[bin] * integral(begin - centre_of_begin, half);
      norm += (level_of_end - level_of_begin - 1) * (density_[bin] * whole_level);
      norm += density_[bin] * integral(-half, end - centre_of_end);
      norms[bin] = norm;
    }
    return norms_.sum().item<float>();
  }

 private:
  /// The integral of x^2 between the two.
  static float integral(float begin, float end) { return (end * end * end - begin * begin * begin) / 3; }

  /// torch.div(position, level, rounding_mode="floor"), clamped; it is exact, and so is the quotient's floor in double.
  static float level_of(float position, float level) {
    const double floor = std::floor(static_cast<double>(position) / static_cast<double>(level));
    return static_cast<float>(std::clamp(floor, 0.0, static_cast<double>(kOutputBins - 1)));
  }

  double width_;
  std::vector<float> density_;
  at::Tensor norms_;
};

/// torch.cumsum: summed in double, each sum rounded.
std::vector<float> running_sums(const std::vector<float>& counts) {
  std::vector<float> sums;
  double sum = 0;
  for (const float count : counts) sums.push_back(static_cast<float>(sum += count));
  return sums;
}

float total_of(const std::vector<float>& counts) { return at::tensor(counts, at::kFloat).sum().item<float>(); }

}  // namespace

Range least_l2_norm(const Histogram& histogram, Levels /*levels*/) {
  const std::vector<float> sums = running_sums(histogram.counts());
  const double total = total_of(histogram.counts());
  QuantizationError error_of(histogram);

  constexpr double step = 1e-5;
  double alpha = 0;
  double beta = 1;
  int first = 0;
  int last = Histogram::kBins - 1;
  double least = std::numeric_limits<double>::infinity();
  while (alpha < beta) {
    const double next_alpha = alpha + step;
    const double next_beta = beta - step;
    int left = first;
    int right = last;
    while (left < last && sums[left] < static_cast<float>(next_alpha * total)) ++left;
    while (right > first && sums[right] > static_cast<float>(next_beta * total)) --right;

    const bool move_first = left - first > last - right;
    const int next_first = move_first ? left : first;
    const int next_last = move_first ? last : right;
    (move_first ? alpha : beta) = move_first ? next_alpha : next_beta;
    if (next_first == first && next_last == last) continue;

    const double error = error_of(next_first, next_last);
    if (error > least) break;
    least = error;
    first = next_first;
    last = next_last;
  }

  const auto low = static_cast<float>(histogram.range().min);
  const float width = (static_cast<float>(histogram.range().max) - low) / Histogram::kBins;
  return {low + width * static_cast<float>(first), low + width * static_cast<float>(last + 1)};
}

}  // namespace fusekit::quantize
