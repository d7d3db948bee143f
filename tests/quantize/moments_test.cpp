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

at::Tensor centred(const at::Tensor& rows) { return rows - rows.mean(1, true); }

TEST(Moments, AreMeansOverAllRowsHoweverTheyCame) {
  at::manual_seed(1);
  for (const std::int64_t in : {5, 700}) {  // 700: more than a block of columns
    const at::Tensor x = at::randn({2, 600, in}) + 1;
    const at::Tensor e = x.slice(2, 0, 3) + at::randn({2, 600, 3});
    Moments moments(2, in, 3);
    for (const auto& [begin, end] : std::vector<std::pair<int, int>>{{0, 1}, {1, 300}, {300, 590}, {590, 600}}) {
      moments.add(x.slice(1, begin, end), e.slice(1, begin, end));
    }
    EXPECT_EQ(moments.rows(), 600);
    expect_close(moments.mean(), x.mean(1));
    expect_close(moments.mean_lack(), e.mean(1));
    expect_close(moments.second(), product(centred(x), centred(x)));
    expect_close(moments.lacking(), product(centred(e), centred(x)));
  }
}

TEST(Moments, ReadingThemInBetweenChangesNothing) {
  const at::Tensor x = at::randn({1, 20, 4});
  const at::Tensor e = at::randn({1, 20, 2});
  Moments moments(1, 4, 2);
  EXPECT_EQ(moments.second().abs().max().item<float>(), 0);
  moments.add(x.slice(1, 0, 7), e.slice(1, 0, 7));
  (void)moments.second();
  (void)moments.lacking();
  moments.add(x.slice(1, 7), e.slice(1, 7));
  expect_close(moments.second(), product(centred(x), centred(x)));
  expect_close(moments.lacking(), product(centred(e), centred(x)));
}

TEST(Moments, RefuseRowsThatDoNotFit) {
  const at::Tensor x = at::randn({1, 20, 4});
  const at::Tensor e = at::randn({1, 20, 2});
  Moments moments(1, 4, 2);
  EXPECT_NO_THROW(moments.add(x, e));
  EXPECT_THROW(moments.add(at::randn({1, 20, 5}), e), Error);
  EXPECT_THROW(moments.add(at::randn({2, 20, 4}), e), Error);
  EXPECT_THROW(moments.add(x, at::randn({1, 20, 3})), Error);
  EXPECT_THROW(moments.add(x, at::randn({1, 19, 2})), Error);
}

TEST(CorrectedBias, MakesTheMeanOutputRight) {
  at::manual_seed(3);
  const at::Tensor y = at::randn({2, 50, 6}) + 2;
  const at::Tensor x = y + 0.3;
  const at::Tensor weight = at::randn({2, 3, 6});
  const at::Tensor told = weight + 0.1 * at::randn({2, 3, 6});
  const at::Tensor bias = at::randn({6});
  Moments moments(2, 6, 3);
  moments.add(x, (y - x).matmul(weight.transpose(1, 2)));
  const at::Tensor corrected = corrected_bias(bias, weight, told, moments);
  const at::Tensor wanted = y.matmul(weight.transpose(1, 2)).mean(1).flatten() + bias;
  expect_close(x.matmul(told.transpose(1, 2)).mean(1).flatten() + corrected, wanted);
  expect_close(corrected_bias({}, weight, told, moments), corrected - bias);
}

}  // namespace
}  // namespace fusekit::quantize
