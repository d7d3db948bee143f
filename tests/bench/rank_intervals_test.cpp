#include "bench/rank_intervals.h"

#include <gtest/gtest.h>

#include <random>

namespace fusekit::bench {
namespace {

TEST(RankIntervals, SignedRankIntervalEqualsRs) {
  // R's example of wilcox.test: the depression of nine patients before and after therapy (Hollander & Wolfe 1973, p. 29);
  // with conf.int = TRUE: (pseudo)median 0.46, interval 0.010 to 0.786 (96.1 %).
  const std::vector<double> before = {1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
  const std::vector<double> after = {0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
  std::vector<double> differences;
  for (std::size_t i = 0; i < before.size(); ++i) differences.push_back(before[i] - after[i]);
  const auto estimate = signed_rank_estimate(differences, 0.95);
  ASSERT_TRUE(estimate);
  EXPECT_NEAR(estimate->centre, 0.46, 1e-12);
  EXPECT_NEAR(estimate->interval.low, 0.010, 1e-12);
  EXPECT_NEAR(estimate->interval.high, 0.786, 1e-12);
}

TEST(RankIntervals, RankSumIntervalEqualsRs) {
  // R's other example: the permeability of a membrane at term and before (Hollander & Wolfe 1973, p. 69); estimate 0.305,
  // interval -0.15 to 0.76 (96.0 %) of the first above the second.
  const std::vector<double> term = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
  const std::vector<double> before = {1.15, 0.88, 0.90, 0.74, 1.21};
  const auto estimate = rank_sum_estimate(before, term, 0.95);
  ASSERT_TRUE(estimate);
  EXPECT_NEAR(estimate->centre, 0.305, 1e-12);
  EXPECT_NEAR(estimate->interval.low, -0.15, 1e-12);
  EXPECT_NEAR(estimate->interval.high, 0.76, 1e-12);
  EXPECT_FALSE(rank_sum_estimate(std::vector<double>{1, 2, 3}, std::vector<double>{4, 5, 6}, 0.95));  // 2 / 20 = 10 %
}

TEST(RankIntervals, RankSumIntervalOfManyValuesIsCloseToTheExactOne) {
  std::mt19937_64 generator(5);
  std::normal_distribution<double> noise(0, 1);
  std::vector<double> a(49), b(49);
  for (double& value : a) value = noise(generator);
  for (double& value : b) value = 1 + noise(generator);
  const Interval exact = rank_sum_estimate(a, b, 0.95)->interval;
  a.push_back(a.front());  // from 50 values on by the normal approximation
  const Interval normal = rank_sum_estimate(a, b, 0.95)->interval;
  EXPECT_NEAR(normal.low, exact.low, 0.05);
  EXPECT_NEAR(normal.high, exact.high, 0.05);
}

TEST(RankIntervals, ShiftIsRobustAgainstOneOutlierInEight) {
  const std::vector<double> before = {0.1, -0.2, 0.0, 0.2, -0.1, 0.3, -0.3, 0.05};
  std::vector<double> after = {5.1, 4.8, 5.0, 5.2, 4.9, 5.3, 4.7, 50};
  const Interval shift = shift_estimate(before, after, 0.95).interval;
  EXPECT_GT(shift.low, 4.5);
  EXPECT_LT(shift.high, 5.5);
  EXPECT_LT(welch_estimate(before, after, 0.95).interval.low, 0);
  after.resize(7);
  EXPECT_EQ(shift_estimate(before, after, 0.95).interval.low, welch_estimate(before, after, 0.95).interval.low);
}

TEST(RankIntervals, SignedRankNeedsSixValuesAndIsTheRangeOfSix) {
  EXPECT_FALSE(signed_rank_estimate(std::vector<double>{1, 2, 3, 4, 5}, 0.95));
  const auto estimate = signed_rank_estimate(std::vector<double>{6, 1, 4, 3, 5, 2}, 0.95);  // 2 / 2^6 = 3.1 %
  ASSERT_TRUE(estimate);
  EXPECT_EQ(estimate->interval.low, 1);
  EXPECT_EQ(estimate->interval.high, 6);
}

TEST(RankIntervals, CentreIsRobustAgainstOneOutlierInTwelve) {
  const std::vector<double> far = {-0.3, -0.7, -0.6, 0.3, 0.2, -9.6, 0.0, 0.1, -0.2, 0.1, 0.1, 0.3};
  EXPECT_LT(centre_estimate(far, 0.95).interval.high - centre_estimate(far, 0.95).interval.low, 1);
  EXPECT_GT(t_estimate(far, 0.95).interval.high - t_estimate(far, 0.95).interval.low, 3);
  const std::vector<double> few = {1, 2, 4, 3, 5, 7};
  EXPECT_EQ(centre_estimate(few, 0.95).interval.low, t_estimate(few, 0.95).interval.low);
}

TEST(RankIntervals, CentreHasTheCoverageThatItClaims) {
  std::mt19937_64 generator(11);
  std::normal_distribution<double> noise(0, 1);
  std::bernoulli_distribution far_out(0.1);
  int covered = 0;
  constexpr int trials = 2000;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> values(12);
    for (double& value : values) value = noise(generator) * (far_out(generator) ? 20 : 1);
    const Interval interval = centre_estimate(values, 0.95).interval;
    if (interval.low <= 0 && 0 <= interval.high) ++covered;
  }
  EXPECT_NEAR(static_cast<double>(covered) / trials, 0.9575, 0.02);  // exactly 1 - 2 P(V <= 13)
}

}  // namespace
}  // namespace fusekit::bench
