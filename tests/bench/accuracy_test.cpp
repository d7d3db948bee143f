// How often the verdict of a whole measurement is right, on simulated machines.
#include <gtest/gtest.h>

#include "bench/fake.h"
#include "fusekit/bench.h"

namespace fusekit::bench {
namespace {

using test::run;
using test::World;

double share_of(const World& world, const Options& options, int trials, Verdict verdict, double truth,
                double* covered) {
  int count = 0;
  int inside = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const Report report = run(world, options, static_cast<std::uint64_t>(trial) + 1);
    const Ratio& ratio = report.ratios.at(0);
    if (ratio.verdict == verdict) ++count;
    if (ratio.interval.low <= truth && truth <= ratio.interval.high) ++inside;
  }
  *covered = static_cast<double>(inside) / trials;
  return static_cast<double>(count) / trials;
}

TEST(BenchAccuracy, SaysNoDifferenceForAFileAgainstItself) {
  double covered = 0;
  EXPECT_GE(share_of({.run_us = {20000, 20000}}, {.max_seconds = 10}, 200, Verdict::no_difference, 1, &covered), 0.94);
}

TEST(BenchAccuracy, DriftAndOutliersRaiseNoFalseAlarm) {
  double covered = 0;
  const World world{.run_us = {20000, 20000}, .drift = 0.01, .outlier_share = 0.05};
  EXPECT_GE(share_of(world, {.max_seconds = 10}, 200, Verdict::no_difference, 1, &covered), 0.94);
}

TEST(BenchAccuracy, CorrelatedNoiseAndTwoModesRaiseNoFalseAlarmAndAreCovered) {
  double covered = 0;
  const World correlated{.run_us = {20000, 20000}, .correlation = 0.9};
  EXPECT_GE(share_of(correlated, {}, 200, Verdict::no_difference, 1, &covered), 0.92);
  const World modes{.run_us = {20400, 20000}, .slow_mode = 0.2};
  EXPECT_GE(share_of(modes, {}, 200, Verdict::faster, 1.02, &covered), 0.6);
  EXPECT_GE(covered, 0.92);
}

/// Another program works half of the time, in bursts; in every second run the kernel gives it the CPU for 4 ms.
TEST(BenchAccuracy, ABusyMachineRaisesNoFalseAlarmAndHidesNoTwoPercent) {
  double covered = 0;
  const World same{.run_us = {8000, 8000}, .slow_mode = 0.1, .slice_us = 4000, .sliced = 0.5};
  EXPECT_GE(share_of(same, {}, 200, Verdict::no_difference, 1, &covered), 0.94);
  const World slower{.run_us = {8000, 8160}, .slow_mode = 0.1, .slice_us = 4000, .sliced = 0.5};
  EXPECT_GE(share_of(slower, {}, 200, Verdict::slower, 1 / 1.02, &covered), 0.9);
}

TEST(BenchAccuracy, FindsTwoPercentAndItsIntervalCoversTheTruth) {
  double covered = 0;
  EXPECT_GE(share_of({.run_us = {20400, 20000}}, {}, 200, Verdict::faster, 1.02, &covered), 0.9);
  EXPECT_GE(covered, 0.93);
}
}  // namespace
}  // namespace fusekit::bench
