#include "quantize/observe/observer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "fusekit/error.h"
#include "quantize/observe/histogram.h"
#include "quantize/observe/range_search.h"

namespace fusekit::quantize {
namespace {

/// The elements in the order in which they lie in memory: no copy of channels_last or transposed tensors.
at::Tensor as_row_of_floats(const at::Tensor& x) {
  const at::Tensor floats = x.detach().to(at::kFloat);
  if (!floats.is_non_overlapping_and_dense()) return floats.contiguous().view(-1);
  return floats.as_strided({floats.numel()}, {1}, floats.storage_offset());
}

class MinMaxObserver final : public Observer {
 private:
  void learn(const at::Tensor& /*x*/, Range range) override {
    range_ = first_ ? range : Range{std::min(range_.min, range.min), std::max(range_.max, range.max)};
    first_ = false;
  }
  [[nodiscard]] Range choose(Levels /*levels*/) const override { return range_; }

  bool first_ = true;
  Range range_;
};

/// PyTorch's MovingAverageMinMaxObserver, float32 as there.
class MovingAverageObserver final : public Observer {
 public:
  explicit MovingAverageObserver(double averaging) : weight_(static_cast<float>(averaging)) {}

 private:
  void learn(const at::Tensor& /*x*/, Range range) override {
    const auto low = static_cast<float>(range.min);
    const auto high = static_cast<float>(range.max);
    low_ = first_ ? low : low_ + weight_ * (low - low_);
    high_ = first_ ? high : high_ + weight_ * (high - high_);
    first_ = false;
  }
  [[nodiscard]] Range choose(Levels /*levels*/) const override { return {low_, high_}; }

  float weight_;
  bool first_ = true;
  float low_ = 0;
  float high_ = 0;
};

constexpr std::int64_t kManyValues = 1 << 15;

/// Every `stride`th of x's values, or every one that is a little more: the stride has no factor in common with their
/// number, so that it falls in with no dimension and each channel has its part.
at::Tensor spread_values(const at::Tensor& x, std::int64_t stride) {
  while (std::gcd(stride, x.numel()) > 1 && stride < x.numel()) ++stride;
  return x.slice(0, 0, x.numel(), stride).contiguous();
}

/// Keeps a histogram and lets a search choose what of it is kept.
class HistogramObserver final : public Observer {
 public:
  using Search = std::function<Range(const Histogram&, Levels)>;
  explicit HistogramObserver(Search search, bool of_all = true) : search_(std::move(search)), of_all_(of_all) {}

 private:
  void learn(const at::Tensor& x, Range range) override {
    if (stride_ == 0) stride_ = of_all_ ? 1 : (x.numel() + kManyValues - 1) / kManyValues;  // the same for all samples
    histogram_.add(stride_ == 1 ? x : spread_values(x, stride_), range);
  }
  [[nodiscard]] Range choose(Levels levels) const override { return search_(histogram_, levels); }

  Histogram histogram_;
  Search search_;
  std::int64_t stride_ = 0;
  bool of_all_;  ///< PyTorch's count every value, which takes as long as a convolution
};

void require(bool holds, const std::string& message, const std::string& hint) {
  if (!holds) throw Error(ErrorKind::usage, message, hint);
}

}  // namespace

void Observer::observe(const at::Tensor& x) {
  if (x.numel() == 0) return;
  const at::Tensor row = as_row_of_floats(x);
  const auto [low, high] = at::aminmax(row);  // one pass; a NaN anywhere makes both NaN
  const Range range{low.item<float>(), high.item<float>()};
  if (std::isnan(range.min) || std::isnan(range.max)) throw NotFinite(true);
  if (std::isinf(range.min) || std::isinf(range.max)) throw NotFinite(false);
  learn(row, range);
  seen_ = empty_ ? range : Range{std::min(seen_.min, range.min), std::max(seen_.max, range.max)};
  empty_ = false;
}

Range Observer::range() const {
  if (empty_) throw Error(ErrorKind::input, "an activation was never observed", "calibrate with at least one sample");
  return seen_;
}

Range Observer::chosen_range(Levels levels) const {
  (void)range();
  return choose(levels);
}

std::unique_ptr<Observer> make_observer(ObserverKind kind, const ObserverOptions& options) {
  switch (kind) {
    case ObserverKind::min_max:
      return std::make_unique<MinMaxObserver>();
    case ObserverKind::moving_average:
      require(options.averaging > 0 && options.averaging <= 1,
              fmt::format("a moving average can't have the weight {}", options.averaging), "more than 0, at most 1");
      return std::make_unique<MovingAverageObserver>(options.averaging);
    case ObserverKind::histogram:
      return std::make_unique<HistogramObserver>(least_l2_norm);
    case ObserverKind::percentile:
      require(options.percentile > 0 && options.percentile <= 100,
              fmt::format("{} is not a percentile", options.percentile), "more than 0, at most 100; 99.99 is usual");
      return std::make_unique<HistogramObserver>(
          [share = options.percentile / 100](const Histogram& histogram, Levels) {
            return middle_share(histogram, share);
          });
    case ObserverKind::entropy:
      return std::make_unique<HistogramObserver>(least_divergence);
    case ObserverKind::squared_error:
      return std::make_unique<HistogramObserver>(least_squared_error, /*of_all=*/false);
  }
  throw Error(ErrorKind::usage, "an unknown observer", "");
}

}  // namespace fusekit::quantize
