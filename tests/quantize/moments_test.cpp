#include "quantize/weights/moments.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"

namespace fusekit::quantize {
namespace {

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  return a.to(at::kDouble).transpose(1, 2).matmul(b.to(at::kDouble)) / static_cast<double>(a.size(1));
}

void expect_means(const at::Tensor& a, const at::Tensor& b) {
  ASSERT_EQ(a.sizes(), b.sizes());
  EXPECT_TRUE(at::allclose(a.to(at::kDouble), b.to(at::kDouble), 1e-4, 1e-5)) << (a - b).abs().max();
}

at::Tensor centred(const at::Tensor& rows) { return rows - rows.mean(1, true); }

TEST(Moments, AreMeansOfProductsOfWhatIsLeftWithoutTheMean) {
  at::manual_seed(1);
  for (const std::int64_t in : {5, 700}) {  // 700: more than a block of columns
    const at::Tensor x = at::randn({2, 600, in}) + 1;
    const at::Tensor e = x.slice(2, 0, 3) + at::randn({2, 600, 3});
    expect_means(second_moment(x), product(centred(x), centred(x)));
    expect_means(cross_moment(e, x), product(centred(e), centred(x)));
    expect_means(second_moment(x), second_moment(x).transpose(1, 2));
  }
}

TEST(Moments, OfNothingAreZero) {
  EXPECT_TRUE(at::equal(second_moment(at::zeros({2, 0, 4})), at::zeros({2, 4, 4})));
  EXPECT_TRUE(at::equal(cross_moment(at::zeros({2, 0, 3}), at::zeros({2, 0, 4})), at::zeros({2, 3, 4})));
}

TEST(Moments, RefuseRowsThatDoNotFit) {
  const at::Tensor x = at::randn({1, 20, 4});
  EXPECT_NO_THROW((void)cross_moment(at::randn({1, 20, 2}), x));
  EXPECT_THROW((void)cross_moment(at::randn({1, 19, 2}), x), Error);
  EXPECT_THROW((void)cross_moment(at::randn({2, 20, 2}), x), Error);
}

}  // namespace
}  // namespace fusekit::quantize
