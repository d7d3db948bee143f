#include "quantize/moments.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"

namespace fusekit::quantize {
namespace {

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  return a.to(at::kDouble).transpose(1, 2).matmul(b.to(at::kDouble)) / static_cast<double>(a.size(1));
}

void expect_close(const at::Tensor& a, const at::Tensor& b) {
  ASSERT_EQ(a.sizes(), b.sizes());
  EXPECT_TRUE(at::allclose(a.to(at::kDouble), b.to(at::kDouble), 1e-4, 1e-5)) << (a - b).abs().max();
}

TEST(Moments, AreMeansOverAllRowsHoweverTheyCame) {
  at::manual_seed(1);
  for (const std::int64_t in : {5, 700}) {  // 700: more than a block of columns
    const at::Tensor x = at::randn({2, 600, in}) + 1;
    const at::Tensor y = x + 0.1 * at::randn({2, 600, in});
    Moments moments(2, in, true);
    for (const auto& [begin, end] : std::vector<std::pair<int, int>>{{0, 1}, {1, 300}, {300, 590}, {590, 600}}) {
      moments.add(x.slice(1, begin, end), y.slice(1, begin, end));
    }
    EXPECT_EQ(moments.rows(), 600);
    expect_close(moments.second(), product(x, x));
    expect_close(moments.cross(), product(y, x));
    expect_close(moments.mean(), x.mean(1));
    expect_close(moments.mean_of_y(), y.mean(1));
    expect_close(moments.centred_second(), product(x - x.mean(1, true), x - x.mean(1, true)));
    expect_close(moments.centred_cross(), product(y - y.mean(1, true), x - x.mean(1, true)));
  }
}

TEST(Moments, ReadingThemInBetweenChangesNothing) {
  const at::Tensor x = at::randn({1, 20, 4});
  Moments moments(1, 4);
  EXPECT_EQ(moments.second().abs().max().item<float>(), 0);
  moments.add(x.slice(1, 0, 7));
  (void)moments.second();
  moments.add(x.slice(1, 7));
  expect_close(moments.second(), product(x, x));
}

TEST(Moments, WithoutAnotherInputTheCrossMomentIsTheSecond) {
  Moments moments(1, 4);
  moments.add(at::randn({1, 20, 4}));
  EXPECT_TRUE(at::equal(moments.cross(), moments.second()));
  EXPECT_TRUE(at::equal(moments.mean_of_y(), moments.mean()));
}

TEST(Moments, RefuseRowsThatDoNotFit) {
  const at::Tensor rows = at::randn({1, 20, 4});
  Moments plain(1, 4);
  EXPECT_THROW(plain.add(at::randn({1, 20, 5})), Error);
  EXPECT_THROW(plain.add(at::randn({2, 20, 4})), Error);
  EXPECT_THROW(plain.add(rows, rows), Error);
  Moments crossed(1, 4, true);
  EXPECT_THROW(crossed.add(rows), Error);
  EXPECT_THROW(crossed.add(rows, at::randn({1, 19, 4})), Error);
}

TEST(CorrectedBias, MakesTheMeanOutputRight) {
  at::manual_seed(3);
  const at::Tensor y = at::randn({2, 50, 6}) + 2;
  const at::Tensor x = y + 0.3;
  const at::Tensor weight = at::randn({2, 3, 6});
  const at::Tensor told = weight + 0.1 * at::randn({2, 3, 6});
  const at::Tensor bias = at::randn({6});
  Moments moments(2, 6, true);
  moments.add(x, y);
  const at::Tensor corrected = corrected_bias(bias, weight, told, moments);
  const at::Tensor wanted = y.matmul(weight.transpose(1, 2)).mean(1).flatten() + bias;
  expect_close(x.matmul(told.transpose(1, 2)).mean(1).flatten() + corrected, wanted);
  expect_close(corrected_bias({}, weight, told, moments), corrected - bias);
}

}  // namespace
}  // namespace fusekit::quantize
