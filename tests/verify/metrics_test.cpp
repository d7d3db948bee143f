#include "verify/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fusekit::gate {
namespace {

constexpr double kNoNoise = std::numeric_limits<double>::infinity();

at::Tensor row(std::initializer_list<double> values) { return at::tensor(values, at::kDouble); }

TEST(Measure, GivesTheFiguresOfASmallExample) {
  // a = (3, 4), b = (3, 4.5): |a-b| = 0.5, max|a| = 4, sum a^2 = 25, sum (a-b)^2 = 0.25, <a,b> = 27, |b|^2 = 29.25.
  const OutputError error = measure(row({3, 4}), row({3, 4.5}));
  EXPECT_DOUBLE_EQ(error.max_abs, 0.5);
  EXPECT_DOUBLE_EQ(error.max_rel, 0.125);
  EXPECT_NEAR(error.sqnr_db, 20.0, 1e-9);
  EXPECT_NEAR(error.cosine, 27 / (5 * std::sqrt(29.25)), 1e-12);
  EXPECT_FALSE(error.top1.has_value());
}

TEST(Measure, EqualTensorsHaveNoError) {
  for (const at::Tensor& tensor : {row({1, -2, 0}), row({0, 0}), at::zeros({0, 5}), at::tensor(3.0F)}) {
    const OutputError error = measure(tensor, tensor.clone());
    EXPECT_EQ(error.max_abs, 0);
    EXPECT_EQ(error.max_rel, 0);
    EXPECT_EQ(error.sqnr_db, kNoNoise);
    EXPECT_EQ(error.cosine, 1);
  }
}

TEST(Measure, AnyDifferenceFromZeroIsInfinite) {
  const OutputError error = measure(row({0, 0}), row({0, 1e-30}));
  EXPECT_EQ(error.max_rel, kNoNoise);
  EXPECT_EQ(error.sqnr_db, -kNoNoise);
  EXPECT_EQ(error.cosine, 0);
}

TEST(Measure, LooksAtTheFiniteElementsOnly) {
  const OutputError error = measure(row({NAN, kNoNoise, 2}), row({NAN, kNoNoise, 1}));
  EXPECT_DOUBLE_EQ(error.max_abs, 1);
  EXPECT_DOUBLE_EQ(error.max_rel, 0.5);
  EXPECT_EQ(measure(row({NAN}), row({NAN})).max_abs, 0);
}

TEST(Measure, NeitherVeryLargeNorVerySmallNumbersSpoilTheFigures) {
  for (const double scale : {1e-200, 1e200}) {
    const OutputError error = measure(row({3, 4}) * scale, row({3, 4.5}) * scale);
    EXPECT_NEAR(error.sqnr_db, 20.0, 1e-6);
    EXPECT_NEAR(error.cosine, 27 / (5 * std::sqrt(29.25)), 1e-9);
  }
}

TEST(Measure, HalfPrecisionIsMeasuredInDouble) {
  const OutputError error =
      measure(at::tensor({60000.0, 1.0}).to(at::kHalf), at::tensor({-60000.0, 1.0}).to(at::kHalf));
  EXPECT_DOUBLE_EQ(error.max_abs, 120000 - 2 * (60000 - at::tensor(60000.0).to(at::kHalf).item<double>()));
}

TEST(Measure, Top1IsTheShareOfRowsWithOneWinner) {
  const at::Tensor a = at::tensor({1.0, 2.0, 5.0, 4.0}).reshape({2, 2});
  const at::Tensor b = at::tensor({1.0, 2.0, 3.0, 4.0}).reshape({2, 2});
  EXPECT_DOUBLE_EQ(measure(a, b).top1.value(), 0.5);
  EXPECT_FALSE(measure(a.reshape({4, 1}), b.reshape({4, 1})).top1.has_value());
  EXPECT_FALSE(measure(a.reshape({1, 2, 2}), b.reshape({1, 2, 2})).top1.has_value());
}

TEST(Measure, ComplexNumbersCountByTheirParts) {
  const at::Tensor a = at::complex(row({3}), row({4}));
  EXPECT_DOUBLE_EQ(measure(a, at::complex(row({3}), row({4.5}))).max_rel, 0.125);
}

TEST(Worse, TakesTheWorstOfEachFigure) {
  OutputError a{.max_abs = 1, .max_rel = 0.1, .sqnr_db = 50, .cosine = 0.9, .top1 = {}};
  OutputError b{.max_abs = 2, .max_rel = 0.01, .sqnr_db = 60, .cosine = 0.8, .top1 = 0.5};
  const OutputError worst = worse(a, b);
  EXPECT_EQ(worst.max_abs, 2);
  EXPECT_EQ(worst.max_rel, 0.1);
  EXPECT_EQ(worst.sqnr_db, 50);
  EXPECT_EQ(worst.cosine, 0.8);
  EXPECT_EQ(worst.top1, 0.5);
}

}  // namespace
}  // namespace fusekit::gate
