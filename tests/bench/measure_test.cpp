// The whole measurement against fake processes on a fake clock.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "bench/fake.h"
#include "bench/noise.h"
#include "fusekit/bench.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

using test::FakeClock;
using test::FakeLauncher;
using test::World;

Report run(const World& world, const Options& options, std::uint64_t seed) {
  FakeClock clock;
  FakeLauncher launcher(world, clock, seed);
  Options seeded = options;
  seeded.seed = seed;
  return measure(test::variants(world.run_us.size()), seeded, launcher, clock);
}

bool warns_of(const Report& report, const std::string& what) {
  return std::any_of(report.warnings.begin(), report.warnings.end(),
                     [&](const std::string& warning) { return warning.find(what) != std::string::npos; });
}

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

TEST(BenchMeasure, SaysNoDifferenceForAFileAgainstItself) {
  double covered = 0;
  EXPECT_GE(share_of({.run_us = {20000, 20000}}, {.max_seconds = 10}, 200, Verdict::no_difference, 1, &covered), 0.94);
}

TEST(BenchMeasure, DriftAndOutliersRaiseNoFalseAlarm) {
  double covered = 0;
  const World world{.run_us = {20000, 20000}, .drift = 0.01, .outlier_share = 0.05};
  EXPECT_GE(share_of(world, {.max_seconds = 10}, 200, Verdict::no_difference, 1, &covered), 0.94);
}

TEST(BenchMeasure, CorrelatedNoiseAndTwoModesRaiseNoFalseAlarmAndAreCovered) {
  double covered = 0;
  const World correlated{.run_us = {20000, 20000}, .correlation = 0.9};
  EXPECT_GE(share_of(correlated, {}, 200, Verdict::no_difference, 1, &covered), 0.92);
  const World modes{.run_us = {20400, 20000}, .slow_mode = 0.2};
  EXPECT_GE(share_of(modes, {}, 200, Verdict::faster, 1.02, &covered), 0.6);
  EXPECT_GE(covered, 0.92);
}

TEST(BenchMeasure, EndsAtAHundredBlocksAProcessHoweverLongItMay) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 20000}}, clock, 1);
  const Report report = measure(test::variants(2), {.max_seconds = 1e5}, launcher, clock);
  for (const ProcessTrace& trace : report.traces) EXPECT_EQ(trace.blocks.size(), 100U);
  EXPECT_LT(clock.seconds(), 200);
}

TEST(BenchMeasure, AWarmUpWithoutEndIsCutOffAndSaidOfThePlainFigures) {
  const World falling{.run_us = {20000, 20000}, .placement = 0, .jitter = 0.001, .drift = -0.5};
  const Report report = run(falling, {.processes = 3, .max_seconds = 9}, 1);
  for (const ProcessTrace& trace : report.traces) {
    const double warmup = 1e-6 * std::accumulate(trace.warmup_us[0].begin(), trace.warmup_us[0].end(), 0.0);
    EXPECT_LT(2 * warmup, 0.45 * 3);
    EXPECT_GE(trace.blocks.size(), 8U);
  }
  EXPECT_TRUE(warns_of(report, "the times shifted by over 2 %"));
  EXPECT_EQ(report.ratios.at(0).verdict, Verdict::no_difference);
}

TEST(BenchNoise, SaysWhatWasWrongAndWhatToDo) {
  Report report;
  report.environment.cpus = 2;
  report.seconds = 10;
  report.noise.cpu_seconds = 10;
  add_noise_warnings(report);
  EXPECT_TRUE(report.warnings.empty());
  report.noise.other_cpus = 1;
  report.noise.steal = 0.05;
  report.noise.throttled_seconds = 2;
  report.noise.clock_change = -0.2;
  report.noise.involuntary_switches = 5000;
  report.noise.major_faults = 5000;
  report.environment.governor = "powersave";
  report.outcomes.resize(2);
  report.outcomes[0].threads = 2;
  report.outcomes[1].threads = 2;
  report.outcomes[1].streams = 2;
  add_noise_warnings(report);
  EXPECT_EQ(report.warnings.size(), 8U);
  for (const char* part :
       {"kept 1.0 of 2 CPUs busy", "5.0 % of the time (steal)", "stopped it for 2 s", "changed by -20 %",
        "500 times a second", "5000 pages", "asks for 4 threads where 2 CPUs", "governor is 'powersave'"})
    EXPECT_TRUE(warns_of(report, part)) << part;
}

TEST(BenchMeasure, FindsTwoPercentAndItsIntervalCoversTheTruth) {
  double covered = 0;
  EXPECT_GE(share_of({.run_us = {20400, 20000}}, {}, 200, Verdict::faster, 1.02, &covered), 0.9);
  EXPECT_GE(covered, 0.93);
}

TEST(BenchMeasure, FiveFoldGainIsFiveFold) {
  const Report report = run({.run_us = {5000, 1000}}, {}, 1);
  EXPECT_NEAR(report.ratios.at(0).ratio, 5, 0.05);
  EXPECT_EQ(report.ratios.at(0).verdict, Verdict::faster);
  EXPECT_NEAR(report.outcomes.at(1).median_us, 1000, 10);
}

TEST(BenchMeasure, BlocksArePalindromesAndLoadOrdersBalanced) {
  const Report report = run({.run_us = {20000, 15000, 10000}}, {.max_seconds = 30}, 3);
  ASSERT_EQ(report.traces.size(), 6U);
  for (std::size_t i = 0; i < 6; i += 2) {
    std::vector<std::size_t> reversed = report.traces[i + 1].load_order;
    std::reverse(reversed.begin(), reversed.end());
    EXPECT_EQ(report.traces[i].load_order, reversed);
  }
  bool differ = false;
  std::vector<std::size_t> first_order;
  for (const ProcessTrace& trace : report.traces) {
    for (const Block& block : trace.blocks) {
      std::vector<std::size_t> order;
      for (const Slot& slot : block.slots) order.push_back(slot.variant);
      ASSERT_EQ(order.size(), 6U);
      EXPECT_TRUE(std::equal(order.begin(), order.end(), order.rbegin()));
      if (first_order.empty()) first_order = order;
      differ = differ || order != first_order;
    }
  }
  EXPECT_TRUE(differ);
  EXPECT_EQ(report.ratios.size(), 2U);  // each against the first
  EXPECT_EQ(report.ratios[1].against, 0U);
}

TEST(BenchMeasure, WarmsUpUntilSteadyAndLeavesThatOut) {
  const World world{.run_us = {20000, 20000}, .jitter = 0.005, .warmup_factor = 30};
  const Report report = run(world, {}, 1);
  for (const ProcessTrace& trace : report.traces)
    for (const auto& times : trace.warmup_us) EXPECT_GE(times.size(), 4U);
  EXPECT_LT(report.outcomes.at(0).percentiles.max, 25000);
  EXPECT_GT(report.outcomes.at(0).first_us, 400000);
}

TEST(BenchMeasure, KeepsToItsTime) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 20000}}, clock, 1);
  measure(test::variants(2), {.max_seconds = 20}, launcher, clock);
  EXPECT_EQ(launcher.started, 6U);
  EXPECT_LE(clock.seconds(), 21);
  EXPECT_GE(clock.seconds(), 18);
}

TEST(BenchMeasure, VerySlowModelsStillGetABlockInEachProcess) {
  const Report report = run({.run_us = {2e6, 2e6}}, {.max_seconds = 5}, 1);
  ASSERT_EQ(report.traces.size(), 6U);
  for (const ProcessTrace& trace : report.traces) EXPECT_EQ(trace.blocks.size(), 1U);
}

TEST(BenchMeasure, ShortRunsShareASlotAfterALeadIn) {
  const Report report = run({.run_us = {100, 20000}}, {}, 1);
  for (const Slot& slot : report.traces.at(0).blocks.at(0).slots) {
    EXPECT_EQ(slot.lead_in, 1);
    EXPECT_GE(slot.runs, slot.variant == 0 ? 200 : 1);
  }
}

TEST(BenchMeasure, IterationsAndWarmupAreWhatWasAskedFor) {
  const Report report = run({.run_us = {1000, 1000}}, {.warmup = 3, .iterations = 7}, 1);
  for (const ProcessTrace& trace : report.traces) {
    EXPECT_EQ(trace.warmup_us.at(0).size(), 3U);
    EXPECT_EQ(trace.blocks.size(), 1U);
  }
  EXPECT_EQ(report.outcomes.at(0).runs, 6U * 8U);  // two slots of four
}

TEST(BenchMeasure, GoesOnUntilTheIntervalIsNarrow) {
  const World world{.run_us = {20000, 20000}, .placement = 0.01};
  const Report wide = run(world, {.max_seconds = 20}, 4);
  const Report narrow = run(world, {.max_seconds = 400, .until_ci = 0.01}, 4);
  const auto width = [](const Report& report) {
    return report.ratios.at(0).interval.high / report.ratios.at(0).interval.low - 1;
  };
  EXPECT_GT(width(wide), 0.01);
  EXPECT_TRUE(narrow.reached_ci);
  EXPECT_LE(width(narrow), 0.01);
  EXPECT_GT(narrow.traces.size(), 6U);
}

TEST(BenchMeasure, SaysWhenTheIntervalDidNotGetNarrow) {
  const Report report = run({.run_us = {20000, 20000}, .placement = 0.05}, {.max_seconds = 40, .until_ci = 0.001}, 1);
  EXPECT_FALSE(report.reached_ci);
  EXPECT_TRUE(warns_of(report, "did not get narrower"));
}

TEST(BenchMeasure, DifferentThreadsAreProcessesOfTheirOwnInterleaved) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 10000}}, clock, 1);
  auto variants = test::variants(2);
  variants[1].runtime.threads = 2;
  const Report report = measure(variants, {.processes = 3, .max_seconds = 10}, launcher, clock);
  EXPECT_EQ(launcher.started, 6U);
  EXPECT_EQ(launcher.runtimes.at(1).threads, 2);
  EXPECT_NEAR(report.ratios.at(0).ratio, 2, 0.05);
  const auto last = launcher.calls.end();
  EXPECT_NE((last - 1)->process, (last - 3)->process);  // A B B A across the two
  EXPECT_EQ((last - 2)->process, (last - 3)->process);
}

TEST(BenchMeasure, RatiosAreThoseOfTheTimeASampleAgainstWhatWasAskedFor) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 40000, 10000, 30000}, .placement = 0}, clock, 1);
  auto variants = test::variants(4);
  variants[1].samples = 4;
  variants[2].against = 2;
  variants[3].against = 2;
  const Report report = measure(variants, {.max_seconds = 10}, launcher, clock);
  ASSERT_EQ(report.ratios.size(), 2U);
  EXPECT_NEAR(report.ratios[0].ratio, 2, 0.05);
  EXPECT_NEAR(report.outcomes[1].sample_us, 10000, 200);
  EXPECT_EQ(report.ratios[1].against, 2U);
  EXPECT_NEAR(report.ratios[1].ratio, 1.0 / 3, 0.01);
  variants[3].against = 4;
  EXPECT_THROW(measure(variants, {}, launcher, clock), Error);
}

TEST(BenchMeasure, EachIsLoadedFirstInAProcessForItsPeakMemory) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Report report = run({.run_us = {9000, 9000, 9000, 9000, 9000}}, {}, seed);
    std::set<std::size_t> first;
    for (const ProcessTrace& trace : report.traces) {
      first.insert(trace.load_order.front());
      for (std::size_t i = 0; i < 5; ++i)
        EXPECT_EQ(trace.peak_alone_kib.at(i), trace.load_order.front() == i ? 1000 : 0);
    }
    EXPECT_EQ(first.size(), 5U) << seed;
    for (const Outcome& outcome : report.outcomes) EXPECT_EQ(outcome.peak_rss_kib, 1000);
  }
}

TEST(BenchMeasure, StreamsCountByTheWallClock) {
  auto variants = test::variants(2);
  variants[1].streams = 2;
  ProcessTrace trace;
  trace.loads.resize(2);
  // Two streams of 10 runs that take 150 us each, side by side: 75 us an inference, against 100.
  Block block{{{0, 0, 10}, {1, 0, 10}}, {{std::vector<double>(10, 100), 1000}, {std::vector<double>(20, 150), 1500}}};
  trace.blocks.assign(3, block);
  const Report report = judge(variants, {trace, trace, trace}, 0.95);
  EXPECT_NEAR(report.ratios.at(0).ratio, 100.0 / 75, 1e-9);
  EXPECT_NEAR(report.outcomes[1].median_us, 150, 1e-9);
  EXPECT_NEAR(report.outcomes[1].sample_us, 75, 1e-9);
}

TEST(BenchMeasure, OneProcessSaysWhatItCantSee) {
  const Report report = run({.run_us = {20000, 20000}}, {.processes = 1, .max_seconds = 5}, 1);
  EXPECT_TRUE(warns_of(report, "one process only"));  // this machine's own noise may stand beside it
}

TEST(BenchMeasure, ADyingProcessEndsItWithNothingLeft) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 20000}}, clock, 1);
  launcher.dies_in_process = 3;
  EXPECT_THROW(measure(test::variants(2), {}, launcher, clock), Error);
  EXPECT_EQ(launcher.alive, 0U);
}

TEST(BenchMeasure, AnInterruptEndsItWithNothingLeft) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 20000}}, clock, 1);
  Options options;
  options.interrupted = [&] { return clock.seconds() > 5; };
  try {
    measure(test::variants(2), options, launcher, clock);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "interrupted");
  }
  EXPECT_EQ(launcher.alive, 0U);
  EXPECT_LT(clock.seconds(), 6);
}

TEST(BenchMeasure, RefusesNonsense) {
  EXPECT_THROW(run({.run_us = {}}, {}, 1), Error);
  EXPECT_THROW(run({.run_us = {1}}, {.processes = 0}, 1), Error);
  EXPECT_THROW(run({.run_us = {1}}, {.max_seconds = 0}, 1), Error);
  EXPECT_THROW(run({.run_us = {1}}, {.iterations = 0}, 1), Error);
  EXPECT_THROW(run({.run_us = {1}}, {.warmup = -1}, 1), Error);
}

TEST(BenchMeasure, VerdictsReadAsSentences) {
  Report report;
  report.outcomes.resize(2);
  report.outcomes[0].label = "a.pt";
  report.outcomes[1].label = "b.pt";
  Ratio ratio{.variant = 1,
              .against = 0,
              .ratio = 1.52,
              .interval = {1.49, 1.55},
              .detectable = 0.02,
              .verdict = Verdict::faster,
              .process_log_ratios = {}};
  EXPECT_EQ(verdict_text(report, ratio), "b.pt is 1.52x as fast as a.pt (1.49 to 1.55)");
  ratio = {.variant = 1,
           .against = 0,
           .ratio = 0.8,
           .interval = {0.5, 0.9},
           .detectable = 0,
           .verdict = Verdict::slower,
           .process_log_ratios = {}};
  EXPECT_EQ(verdict_text(report, ratio), "a.pt is 1.25x as fast as b.pt (1.11 to 2.00)");
  ratio = {.variant = 1,
           .against = 0,
           .ratio = 1,
           .interval = {0.99, 1.01},
           .detectable = 0.015,
           .verdict = Verdict::no_difference,
           .process_log_ratios = {}};
  EXPECT_EQ(verdict_text(report, ratio), "no measurable difference between a.pt and b.pt (could have seen 1.5 %)");
  ratio.detectable = 4.123;
  EXPECT_EQ(verdict_text(report, ratio), "no measurable difference between a.pt and b.pt (could have seen 412 %)");
}

}  // namespace
}  // namespace fusekit::bench
