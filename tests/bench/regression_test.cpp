#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "bench/rank_intervals.h"
#include "fusekit/bench_regression.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

Report with_medians(std::vector<double> medians) {
  Report report;
  Outcome outcome;
  outcome.label = "a.pt";
  outcome.engine = "auto";
  outcome.process_median_us = std::move(medians);
  report.outcomes.push_back(outcome);
  report.environment.cpu = "Z80";
  report.environment.cpus = 2;
  return report;
}

const std::vector<double> kBefore = {100, 101, 99, 100.5, 99.5, 100};

std::vector<double> scaled(std::vector<double> values, double factor) {
  for (double& value : values) value *= factor;
  return values;
}

RegressionCheck check(const std::vector<double>& now, double allowed) {
  return compare_with_baseline(with_medians(now), with_medians(kBefore), allowed, false).at(0);
}

TEST(RegressionCheck, IsFoundOnlyWhereTheIntervalShowsIt) {
  EXPECT_TRUE(check(scaled(kBefore, 1.05), 0.03).regressed);
  EXPECT_FALSE(check(scaled(kBefore, 1.035), 0.03).regressed);  // its interval reaches below 3 %
  EXPECT_FALSE(check(scaled(kBefore, 1.02), 0.03).regressed);
  EXPECT_FALSE(check(scaled(kBefore, 0.5), 0.03).regressed);
  EXPECT_NEAR(check(scaled(kBefore, 1.05), 0.03).slowdown, 0.05, 1e-9);
}

TEST(RegressionCheck, NoisyTimesShowNoRegression) { EXPECT_FALSE(check({100, 130, 95, 110, 140, 98}, 0.03).regressed); }

TEST(RegressionCheck, WhatCouldNotBeSeenIsInconclusive) {
  const RegressionCheck noisy = check({100, 130, 95, 110, 140, 98}, 0.03);
  EXPECT_TRUE(noisy.inconclusive);
  EXPECT_TRUE(noisy.text.starts_with("inconclusive: ")) << noisy.text;
  EXPECT_STREQ(name_of_verdict(noisy), "inconclusive");
  EXPECT_TRUE(check(scaled(kBefore, 1.03), 0.03).inconclusive);  // its interval has the limit in it
  for (const double factor : {0.5, 1.0, 1.01}) {
    EXPECT_FALSE(check(scaled(kBefore, factor), 0.03).inconclusive) << factor;
    EXPECT_STREQ(name_of_verdict(check(scaled(kBefore, factor), 0.03)), "passed");
  }
  EXPECT_FALSE(check(scaled(kBefore, 1.05), 0.03).inconclusive);
  EXPECT_STREQ(name_of_verdict(check(scaled(kBefore, 1.05), 0.03)), "regressed");
}

TEST(RegressionCheck, AnotherMachineIsAnErrorUnlessAllowed) {
  Report baseline = with_medians(kBefore);
  baseline.environment.cpu = "6502";
  const Report now = with_medians(kBefore);
  try {
    compare_with_baseline(now, baseline, 0.03, false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("(now Z80, then 6502)"), std::string::npos) << error.message();
  }
  EXPECT_FALSE(compare_with_baseline(now, baseline, 0.03, true).at(0).regressed);
  baseline = with_medians(kBefore);
  baseline.outcomes[0].threads = 4;
  EXPECT_THROW(compare_with_baseline(now, baseline, 0.03, false), Error);
  baseline.outcomes.clear();
  EXPECT_THROW(compare_with_baseline(now, baseline, 0.03, true), Error);
}

TEST(RegressionCheck, OfARatioTakesItsInverse) {
  Report report = with_medians(kBefore);
  report.outcomes.push_back(report.outcomes[0]);
  Ratio ratio;
  ratio.variant = 1;
  ratio.ratio = 1 / 1.1;
  ratio.interval = {1 / 1.12, 1 / 1.08};
  ratio.process_log_ratios = {-0.09, -0.1, -0.095, -0.09, -0.1, -0.095};
  const RegressionCheck found = check_for_regressions(report, {ratio}, 0.03).at(0);
  EXPECT_TRUE(found.regressed);
  EXPECT_NEAR(found.slowdown, 0.1, 1e-9);
  EXPECT_NEAR(found.interval.low, 0.08, 1e-9);
  EXPECT_NEAR(found.interval.high, 0.12, 1e-9);
  EXPECT_FALSE(check_for_regressions(report, {ratio}, 0.09).at(0).regressed);
}

/// The checks of variants whose processes' log-slowdowns are distributed around `centres`.
std::vector<RegressionCheck> checks(const std::vector<double>& centres, double allowed, std::mt19937_64& generator) {
  std::normal_distribution<double> noise(0, 0.01);
  Report report;
  report.outcomes.resize(centres.size() + 1);
  for (std::size_t i = 0; i < centres.size(); ++i) {
    std::vector<double> speeds(10);
    for (double& speed : speeds) speed = -centres[i] + noise(generator);
    const Estimate estimate = centre_estimate(speeds, report.confidence);
    report.ratios.push_back({i + 1,
                             0,
                             std::exp(estimate.centre),
                             {std::exp(estimate.interval.low), std::exp(estimate.interval.high)},
                             estimate.detectable,
                             Verdict::no_difference,
                             speeds});
  }
  return check_for_regressions(report, report.ratios, allowed);
}

TEST(RegressionCheck, ManyChecksTogetherGiveNoMoreFalseAlarmsThanOne) {
  std::mt19937_64 generator(3);
  int alarms = 0;
  constexpr int trials = 500;
  for (int trial = 0; trial < trials; ++trial) {
    // All are exactly as slow as allowed. Without Holm's procedure, each one would give an alarm in 2.4 % of cases, and at
    // least one of twenty in 39 %.
    const std::vector<RegressionCheck> all = checks(std::vector<double>(20, std::log(1.03)), 0.03, generator);
    if (std::any_of(all.begin(), all.end(), [](const RegressionCheck& check) { return check.regressed; })) ++alarms;
  }
  EXPECT_LE(alarms, trials * 5 / 100);
}

TEST(RegressionCheck, AFoundRegressionLeavesTheOthersMoreOfTheErrorRate) {
  std::mt19937_64 generator(5);
  const std::vector<RegressionCheck> all = checks({0.2, 0, 0.2, 0.2, 0.2}, 0.03, generator);
  EXPECT_NEAR(all[0].confidence, 0.99, 1e-12);
  EXPECT_NEAR(all[1].confidence, 0.95, 1e-12);  // the only one left
  EXPECT_FALSE(all[1].regressed);
  EXPECT_TRUE(all[4].regressed);
  EXPECT_NE(all[0].text.find(" at 99 % confidence)"), std::string::npos) << all[0].text;
  EXPECT_EQ(checks({0}, 0.03, generator)[0].text.find("confidence"), std::string::npos);
}

TEST(RegressionCheck, ABaselineWithOtherModelsIsAMismatch) {
  Report now = with_medians(kBefore);
  now.outcomes.push_back(now.outcomes[0]);
  now.outcomes[1].label = "b.pt";
  Report baseline = now;
  EXPECT_EQ(compare_with_baseline(now, baseline, 0.03, false).size(), 2U);
  std::swap(baseline.outcomes[0], baseline.outcomes[1]);
  EXPECT_THROW(compare_with_baseline(now, baseline, 0.03, false), Error);
}

}  // namespace
}  // namespace fusekit::bench
