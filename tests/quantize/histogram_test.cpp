#include "quantize/observe/histogram.h"

#include <gtest/gtest.h>

#include <numeric>

#include "quantize/made_up_data.h"
#include "quantize/observe/range_search.h"

namespace fusekit::quantize {
namespace {

using test::even;
using test::heavy;

Range range_of(const at::Tensor& x) { return {x.min().item<float>(), x.max().item<float>()}; }

Histogram histogram_of(const std::vector<at::Tensor>& samples) {
  Histogram histogram;
  for (const at::Tensor& sample : samples) histogram.add(sample, range_of(sample));
  return histogram;
}

double total(const Histogram& histogram) {
  return std::accumulate(histogram.counts().begin(), histogram.counts().end(), 0.0);
}

/// The mean squared error of telling `x` in these levels over `range`.
double squared_error(const at::Tensor& x, Range range, Levels levels) {
  const QParams q = affine_qparams(range, levels);
  const at::Tensor dequantized =
      (x / q.scale + static_cast<double>(q.zero_point)).round().clamp(levels.low, levels.high);
  return ((dequantized - static_cast<double>(q.zero_point)) * q.scale - x).pow(2).mean().item<double>();
}

TEST(Histogram, CountsAsTorchHistcDoes) {
  for (const int size : {1, 5, 511, 512, 513, 5000, 200000}) {
    for (const at::Tensor& x : {heavy(1, size), heavy(1, size).relu(), even(2, size) + 7}) {
      const Range range = range_of(x);
      const at::Tensor expected = at::histc(x, Histogram::kBins, range.min, range.max);
      EXPECT_TRUE(at::equal(at::tensor(count_into_bins(x, range)), expected)) << size;
    }
  }
}

TEST(Histogram, CountsBeyondWhatAFloatCanCountOneByOne) {
  constexpr std::int64_t many = (1 << 24) + 1000;  // float32: 2^24 + 1 == 2^24
  const at::Tensor x = at::zeros({many});
  const std::vector<float> counts = count_into_bins(x, {0, 1});
  EXPECT_EQ(counts.front(), many);
}

TEST(Histogram, KeepsWhatWasCountedWhenItsRangeGrows) {
  const Histogram histogram = histogram_of({even(0), even(1) * 3, even(2) * 2 + 5, even(3) * 100});
  EXPECT_EQ(histogram.range(), range_of(even(3) * 100));
  EXPECT_NEAR(total(histogram), 4 * test::kMadeUpSize, 1e-2);
  double below_zero = 0;
  for (int bin = 0; bin < Histogram::kBins / 2; ++bin) below_zero += histogram.counts()[bin];
  EXPECT_NEAR(below_zero / total(histogram), 0.375, 0.02);  // half of each, but none of the third
}

TEST(Histogram, OneValueStaysInItsBinWhenTheRangeGrows) {
  const Histogram histogram = histogram_of({at::full({100}, 3.0F), at::tensor({0.0F, 4.0F})});
  EXPECT_EQ(histogram.counts()[3 * Histogram::kBins / 4], 100);
  EXPECT_EQ(total(histogram), 102);
}

TEST(Histogram, NumbersNearFloatsLimitDoNoHarm) {
  const at::Tensor x = even(0) * 3e38F;
  EXPECT_EQ(total(histogram_of({x})), test::kMadeUpSize);
}

TEST(MiddleShare, AllOfItIsTheWholeRange) {
  const Histogram histogram = histogram_of({heavy(0), heavy(1)});
  EXPECT_EQ(middle_share(histogram, 1), histogram.range());
}

TEST(MiddleShare, NeverCutsOffAPeakAtTheEnd) {
  const Range range = middle_share(histogram_of({heavy(0).relu()}), 0.9);
  EXPECT_EQ(range.min, 0);
  EXPECT_LT(range.max, 7.9);
}

TEST(LeastSquaredError, IsWithinAPercentOfTheBestOfAllRangesThatWereTried) {
  for (const Levels levels : {kUnsigned8, kUnsigned8Reduced, Levels{0, 15}}) {
    for (const at::Tensor& x : {heavy(0, 20000), heavy(0, 20000).relu(), heavy(0, 20000).clamp(-0.4, 8)}) {
      const Range range = range_of(x);
      double least = std::numeric_limits<double>::infinity();
      for (int low = 0; low < 16; ++low) {
        for (int high = 0; high < 16; ++high) {
          least =
              std::min(least, squared_error(x, {range.min * (1 - low / 16.0), range.max * (1 - high / 16.0)}, levels));
        }
      }
      const Range chosen = least_squared_error(histogram_of({x}), levels);
      EXPECT_LE(squared_error(x, chosen, levels), 1.01 * least) << levels.high;
    }
  }
}

TEST(LeastSquaredError, ZerosAreExactWhateverTheRange) {
  // nearly all values are 0: were they off by step^2 / 12 like others, the few others would be clipped for them
  const at::Tensor x = at::cat({at::zeros({10000000}), at::linspace(0, 1, 1000)});
  EXPECT_GT(least_squared_error(histogram_of({x}), kUnsigned8).max, 0.98);
}

TEST(LeastDivergence, ClipsALongTailAndKeepsAFlatOne) {
  EXPECT_EQ(least_divergence(histogram_of({even(0, 100000)}), kUnsigned8), range_of(even(0, 100000)));
  const at::Tensor tailed = even(0, 100000) / (1.0001 - even(1, 100000).abs());  // up to 10^4, half of it below 1
  const Range range = least_divergence(histogram_of({tailed}), kUnsigned8);
  EXPECT_LT(range.max, 0.5 * tailed.max().item<float>());
  EXPECT_GT(range.max, 1);
}

TEST(LeastDivergence, WorksOnOneSidedData) {
  const Range range = least_divergence(histogram_of({-heavy(0).abs()}), kUnsigned8);
  EXPECT_EQ(range.max, (-heavy(0).abs()).max().item<float>());
  EXPECT_LT(range.min, -1);
}

}  // namespace
}  // namespace fusekit::quantize
