#include "bench/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace fusekit::bench {
namespace {

// R's `sleep`: extra hours of sleep of ten patients under drugs 1 and 2 (Student 1908). R 4: t.test(extra ~ group, ...).
const std::vector<double> kDrug1 = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
const std::vector<double> kDrug2 = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

TEST(Statistics, MedianAndQuantiles) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  // numpy.percentile([15, 20, 35, 40, 50], 40)
  EXPECT_DOUBLE_EQ(quantile({50, 15, 40, 20, 35}, 0.4), 29.0);
  const Percentiles p = percentiles({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  EXPECT_EQ(p.min, 1);
  EXPECT_EQ(p.p50, 6);
  EXPECT_EQ(p.p90, std::nullopt);
  EXPECT_EQ(p.max, 11);
}

TEST(Statistics, PercentilesThatTheSampleDoesNotShowAreLeftOut) {
  const auto of = [](int count) {
    std::vector<double> values;
    for (int i = 0; i < count; ++i) values.push_back(i);
    return percentiles(values);
  };
  EXPECT_EQ(of(28).p90, std::nullopt);   // 0.9^28 = 0.0523
  EXPECT_NEAR(*of(29).p90, 25.2, 1e-9);  // 0.9^29 = 0.0471; numpy.percentile(range(29), 90)
  EXPECT_EQ(of(298).p99, std::nullopt);
  EXPECT_NEAR(*of(299).p99, 295.02, 1e-9);
  EXPECT_EQ(of(2994).p999, std::nullopt);
  EXPECT_NEAR(*of(2995).p999, 2991.006, 1e-9);
}

TEST(Statistics, StandardDeviation) {
  EXPECT_DOUBLE_EQ(standard_deviation(std::vector<double>{2, 4, 4, 4, 5, 5, 7, 9}), std::sqrt(32.0 / 7));
  EXPECT_EQ(standard_deviation(std::vector<double>{7}), 0);
}

TEST(Statistics, TQuantilesAreThoseOfTheTables) {
  EXPECT_NEAR(t_quantile(0.975, 1), 12.7062, 1e-4);
  EXPECT_NEAR(t_quantile(0.975, 5), 2.5706, 1e-4);
  EXPECT_NEAR(t_quantile(0.95, 10), 1.8125, 1e-4);
  EXPECT_NEAR(t_quantile(0.995, 30), 2.7500, 1e-4);
}

TEST(Statistics, OneSampleIntervalIsRs) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < kDrug1.size(); ++i) differences.push_back(kDrug2[i] - kDrug1[i]);
  const Estimate estimate = t_estimate(differences, 0.95);  // t.test(paired = TRUE)
  EXPECT_NEAR(estimate.centre, 1.58, 1e-12);
  EXPECT_NEAR(estimate.interval.low, 0.7001142, 1e-6);
  EXPECT_NEAR(estimate.interval.high, 2.4598858, 1e-6);
}

TEST(Statistics, SignedRankIntervalIsRs) {
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

TEST(Statistics, RankSumIntervalIsRs) {
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

TEST(Statistics, RankSumIntervalOfManyValuesIsTheExactOnesNeighbour) {
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

TEST(Statistics, TheShiftsIntervalDoesNotMindOneProcessInEightThatIsFarOut) {
  const std::vector<double> before = {0.1, -0.2, 0.0, 0.2, -0.1, 0.3, -0.3, 0.05};
  std::vector<double> after = {5.1, 4.8, 5.0, 5.2, 4.9, 5.3, 4.7, 50};
  const Interval shift = shift_estimate(before, after, 0.95).interval;
  EXPECT_GT(shift.low, 4.5);
  EXPECT_LT(shift.high, 5.5);
  EXPECT_LT(welch_estimate(before, after, 0.95).interval.low, 0);
  after.resize(7);
  EXPECT_EQ(shift_estimate(before, after, 0.95).interval.low, welch_estimate(before, after, 0.95).interval.low);
}

TEST(Statistics, SignedRankNeedsSixValuesAndIsTheRangeOfSix) {
  EXPECT_FALSE(signed_rank_estimate(std::vector<double>{1, 2, 3, 4, 5}, 0.95));
  const auto estimate = signed_rank_estimate(std::vector<double>{6, 1, 4, 3, 5, 2}, 0.95);  // 2 / 2^6 = 3.1 %
  ASSERT_TRUE(estimate);
  EXPECT_EQ(estimate->interval.low, 1);
  EXPECT_EQ(estimate->interval.high, 6);
}

TEST(Statistics, TheCentresIntervalDoesNotMindOneProcessInTwelveThatIsFarOut) {
  const std::vector<double> far = {-0.3, -0.7, -0.6, 0.3, 0.2, -9.6, 0.0, 0.1, -0.2, 0.1, 0.1, 0.3};
  EXPECT_LT(centre_estimate(far, 0.95).interval.high - centre_estimate(far, 0.95).interval.low, 1);
  EXPECT_GT(t_estimate(far, 0.95).interval.high - t_estimate(far, 0.95).interval.low, 3);
  const std::vector<double> few = {1, 2, 4, 3, 5, 7};
  EXPECT_EQ(centre_estimate(few, 0.95).interval.low, t_estimate(few, 0.95).interval.low);
}

TEST(Statistics, TheCentresIntervalCoversItAsOftenAsItSays) {
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

TEST(Statistics, WelchIntervalIsRs) {
  const Estimate estimate = welch_estimate(kDrug1, kDrug2, 0.95);  // t.test(extra ~ group): t = -1.8608, df = 17.776
  EXPECT_NEAR(estimate.centre, 1.58, 1e-12);
  EXPECT_NEAR(estimate.interval.low, -0.2054832, 1e-6);
  EXPECT_NEAR(estimate.interval.high, 3.3654832, 1e-6);
}

TEST(Statistics, DetectableDifferenceIsFoundInNineOfTenCases) {
  std::mt19937_64 generator(1);
  std::normal_distribution<double> noise(0, 1);
  int found = 0;
  constexpr int trials = 4000;
  // The true standard error is 1/sqrt(6): shift by what a run with exactly that scatter would name.
  const double shift = (t_quantile(0.975, 5) + t_quantile(0.9, 5)) / std::sqrt(6.0);
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> values(6);
    for (double& value : values) value = shift + noise(generator);
    if (t_estimate(values, 0.95).interval.low > 0) ++found;
  }
  EXPECT_NEAR(static_cast<double>(found) / trials, 0.9, 0.04);
}

TEST(Statistics, FarOutValuesAreCounted) {
  std::vector<double> values;
  for (int i = 0; i < 100; ++i) values.push_back(100 + i % 10);
  EXPECT_EQ(far_out(values), 0U);
  values.push_back(1000);
  EXPECT_EQ(far_out(values), 1U);
}

TEST(Statistics, AutocorrelationIsRs) {
  // acf(1:10): 0.7, 0.4121212
  const std::vector<double> ramp = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_NEAR(autocorrelation(ramp, 1), 0.7, 1e-12);
  EXPECT_NEAR(autocorrelation(ramp, 2), 0.4121212, 1e-6);
}

/// An AR(1) series around 0.
std::vector<double> autoregressive(std::size_t n, double coefficient, std::mt19937_64& generator) {
  std::normal_distribution<double> noise(0, 1);
  std::vector<double> values(n);
  double value = noise(generator) / std::sqrt(1 - coefficient * coefficient);
  for (double& out : values) out = value = coefficient * value + noise(generator);
  return values;
}

TEST(Statistics, BlocksGrowWithAutocorrelation) {
  std::mt19937_64 generator(7);
  EXPECT_LE(block_length(autoregressive(400, 0.0, generator)), 12U);
  EXPECT_GE(block_length(autoregressive(400, 0.8, generator)), 10U);
}

double bootstrap_coverage(double coefficient, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  int covered = 0;
  constexpr int trials = 150;
  for (int trial = 0; trial < trials; ++trial) {
    const Estimate estimate = bootstrap_median(autoregressive(150, coefficient, generator), 0.95, 1);
    if (estimate.interval.low <= 0 && 0 <= estimate.interval.high) ++covered;
  }
  return static_cast<double>(covered) / trials;
}

TEST(Statistics, BootstrapCoversTheMedianOfIndependentAndOfAutocorrelatedValues) {
  EXPECT_GE(bootstrap_coverage(0.0, 3), 0.89);
  EXPECT_GE(bootstrap_coverage(0.5, 4), 0.85);
}

TEST(Statistics, ChangePointFindsTheDamAtAswan) {
  // Annual flow of the Nile at Aswan 1871-1970 (R's `Nile`); R's trend::pettitt.test: U* = 1637... between 1898 and 1899.
  const std::vector<double> nile = {
      1120, 1160, 963,  1210, 1160, 1160, 813,  1230, 1370, 1140, 995,  935,  1110, 994, 1020, 960,  1180,
      799,  958,  1140, 1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774,  840,  874, 694,  940,  833,
      701,  916,  692,  1020, 1050, 969,  831,  726,  456,  824,  702,  1120, 1100, 832, 764,  821,  768,
      845,  864,  862,  698,  845,  744,  796,  1040, 759,  781,  865,  845,  944,  984, 897,  822,  1010,
      771,  676,  649,  846,  812,  742,  801,  1040, 860,  874,  848,  890,  744,  749, 838,  1050, 918,
      986,  797,  923,  975,  815,  1020, 906,  901,  1170, 912,  746,  919,  718,  714, 740};
  const ChangePoint change = change_point(nile);
  EXPECT_EQ(change.index, 28U);  // the first 28 years, to 1898
  EXPECT_LT(change.p, 1e-5);
}

TEST(Statistics, ChangePointIsQuietWithoutOne) {
  std::mt19937_64 generator(5);
  int alarms = 0;
  for (int trial = 0; trial < 200; ++trial)
    if (change_point(autoregressive(50, 0.0, generator)).p < 0.05) ++alarms;
  EXPECT_LE(alarms, 14);
}

TEST(Statistics, SteadyAfterTheProfilingRuns) {
  EXPECT_EQ(steady_from(std::vector<double>{50, 200, 20, 20, 20.1}), 2U);
  EXPECT_EQ(steady_from(std::vector<double>{20, 20.1, 19.9, 20}), 0U);
  EXPECT_EQ(steady_from(std::vector<double>{50, 40, 30, 20, 10}), std::nullopt);
  EXPECT_EQ(steady_from(std::vector<double>{20, 20}), std::nullopt);
  // Two slow runs before many: neither the first nor the first third shows them.
  std::vector<double> many(40, 10);
  many[0] = 50;
  many[1] = 52;
  EXPECT_EQ(steady_from(many), 2U);
  // An outlier on the way is no warm-up.
  EXPECT_EQ(steady_from(std::vector<double>{20, 20.1, 35, 19.9, 20, 20.2}), 0U);
}

}  // namespace
}  // namespace fusekit::bench
