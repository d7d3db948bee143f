#include "quantize/weights/fitted_bias.h"

#include <gtest/gtest.h>

#include <limits>

namespace fusekit::quantize {
namespace {

const ir::Interval kRelu{0, std::numeric_limits<double>::infinity()};

at::Tensor error(const at::Tensor& wanted, const at::Tensor& got, const at::Tensor& bias, const at::Tensor& fitted) {
  const auto each = [&](const at::Tensor& b) { return b.view({wanted.size(0), 1, wanted.size(2)}); };
  return ((wanted + each(bias)).relu() - (got + each(fitted)).relu()).square().mean(1).flatten();
}

TEST(FittedBias, MakesTheMeanRightWhereNothingIsClamped) {
  at::manual_seed(1);
  const at::Tensor wanted = at::randn({2, 50, 3});
  const at::Tensor got = wanted * 0.9 - at::rand({2, 1, 3});
  const at::Tensor bias = at::randn({6});
  const at::Tensor fitted = fitted_bias(bias, wanted, got, std::nullopt);
  EXPECT_TRUE(at::allclose(fitted, bias + (wanted - got).mean(1).flatten(), 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(fitted_bias({}, wanted, got, std::nullopt), fitted - bias, 1e-4, 1e-5));
}

// What lies below zero is wrong by a lot and nobody sees it: the mean of all errors would shift what is seen.
TEST(FittedBias, ForgivesWhatAReluHides) {
  at::manual_seed(2);
  const at::Tensor wanted = at::randn({1, 400, 5}) - 1;
  const at::Tensor got = at::where(wanted > 0, wanted + 0.1, wanted * 2);
  const at::Tensor bias = at::zeros({5});
  const at::Tensor mean = (wanted - got).mean(1).flatten();
  const at::Tensor fitted = fitted_bias(bias, wanted, got, kRelu);
  EXPECT_TRUE(at::all(error(wanted, got, bias, fitted) < 0.2 * error(wanted, got, bias, mean)).item<bool>());
  EXPECT_TRUE(at::allclose(fitted, at::full({5}, -0.1), 0, 0.03)) << fitted;
}

TEST(FittedBias, IsNeverWorseThanTheOldOne) {
  at::manual_seed(3);
  for (int i = 0; i < 20; ++i) {
    const at::Tensor wanted = at::randn({3, 30, 4}).pow(3) - 1;
    const at::Tensor got = wanted + 0.3 * at::randn({3, 30, 4}) - (wanted < 0).to(at::kFloat);
    const at::Tensor bias = at::randn({12});
    EXPECT_TRUE(at::all(error(wanted, got, bias, fitted_bias(bias, wanted, got, kRelu)) <=
                        error(wanted, got, bias, bias) + 1e-6)
                    .item<bool>());
  }
}

TEST(FittedBias, KeepsTheBiasWithoutRowsAndOfChannelsThatAreNeverSeen) {
  const at::Tensor bias = at::randn({4});
  EXPECT_TRUE(at::equal(fitted_bias(bias, at::zeros({2, 0, 2}), at::zeros({2, 0, 2}), kRelu), bias));
  const at::Tensor hidden = at::full({1, 10, 4}, -100.0F);
  EXPECT_TRUE(at::equal(fitted_bias(bias, hidden, hidden - 1, kRelu), bias));
}

}  // namespace
}  // namespace fusekit::quantize
