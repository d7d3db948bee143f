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

TEST(Statistics, PercentilesNeedEnoughValues) {
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

TEST(Statistics, TQuantilesEqualPublishedTables) {
  EXPECT_NEAR(t_quantile(0.975, 1), 12.7062, 1e-4);
  EXPECT_NEAR(t_quantile(0.975, 5), 2.5706, 1e-4);
  EXPECT_NEAR(t_quantile(0.95, 10), 1.8125, 1e-4);
  EXPECT_NEAR(t_quantile(0.995, 30), 2.7500, 1e-4);
}

TEST(Statistics, OneSampleIntervalEqualsRs) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < kDrug1.size(); ++i) differences.push_back(kDrug2[i] - kDrug1[i]);
  const Estimate estimate = t_estimate(differences, 0.95);  // t.test(paired = TRUE)
  EXPECT_NEAR(estimate.centre, 1.58, 1e-12);
  EXPECT_NEAR(estimate.interval.low, 0.7001142, 1e-6);
  EXPECT_NEAR(estimate.interval.high, 2.4598858, 1e-6);
}

TEST(Statistics, WelchIntervalEqualsRs) {
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
  const std::vector<double> values{-1, -1, 0, 0, 1, 1};  // their standard deviation is sqrt(4 / 5)
  EXPECT_NEAR(t_estimate(values, 0.95).detectable, shift * std::sqrt(0.8), 1e-12);
}

TEST(Statistics, FarOutValuesAreCounted) {
  std::vector<double> values;
  for (int i = 0; i < 100; ++i) values.push_back(100 + i % 10);
  EXPECT_EQ(far_out(values), 0U);
  values.push_back(118);  // 1.5 to 3 times the quartiles' distance away: outlying, but not far out
  EXPECT_EQ(far_out(values), 0U);
  values.push_back(1000);
  EXPECT_EQ(far_out(values), 1U);
}

TEST(Statistics, AutocorrelationEqualsRs) {
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

TEST(Statistics, ChangePointGivesFewFalseAlarms) {
  std::mt19937_64 generator(5);
  int alarms = 0;
  for (int trial = 0; trial < 200; ++trial)
    if (change_point(autoregressive(50, 0.0, generator)).p < 0.05) ++alarms;
  EXPECT_LE(alarms, 14);
}

TEST(Statistics, SteadyStateStartsAfterTheProfilingRuns) {
  EXPECT_EQ(steady_state_start(std::vector<double>{50, 200, 20, 20, 20.1}), 2U);
  EXPECT_EQ(steady_state_start(std::vector<double>{20, 20.1, 19.9, 20}), 0U);
  EXPECT_EQ(steady_state_start(std::vector<double>{50, 40, 30, 20, 10}), std::nullopt);
  EXPECT_EQ(steady_state_start(std::vector<double>{20, 20}), std::nullopt);
  // Two slow runs before many: neither the first nor the first third shows them.
  std::vector<double> many(40, 10);
  many[0] = 50;
  many[1] = 52;
  EXPECT_EQ(steady_state_start(many), 2U);
  // An outlier is not warm-up.
  EXPECT_EQ(steady_state_start(std::vector<double>{20, 20.1, 35, 19.9, 20, 20.2}), 0U);
}

}  // namespace
}  // namespace fusekit::bench
