// The whole measurement against fake processes on a fake clock.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "bench/fake.h"
#include "fusekit/bench.h"
#include "fusekit/error.h"
#include "fusekit/interrupted.h"
#include "support/refusal.h"

namespace fusekit::bench {
namespace {

using test::FakeClock;
using test::FakeLauncher;
using test::run;
using test::warns_of;
using test::World;

TEST(BenchMeasure, EndsAtFiveHundredBlocksPerProcess) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 20000}}, clock, 1);
  const Report report = measure(test::variants(2), {.max_seconds = 1e5}, launcher, clock);
  for (const ProcessTrace& trace : report.traces) EXPECT_EQ(trace.blocks.size(), 500U);
  EXPECT_LT(clock.seconds(), 1400);
}

TEST(BenchMeasure, AnEndlessWarmUpIsCutOffWithAWarning) {
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

TEST(BenchMeasure, FiveFoldGainIsFiveFold) {
  const Report report = run({.run_us = {5000, 1000}}, {}, 1);
  EXPECT_NEAR(report.ratios.at(0).ratio, 5, 0.05);
  EXPECT_EQ(report.ratios.at(0).verdict, Verdict::faster);
  EXPECT_NEAR(report.outcomes.at(1).median_us, 1000, 10);
}

TEST(BenchMeasure, BlocksArePalindromesAndLoadOrdersAreBalanced) {
  const Report report = run({.run_us = {20000, 15000, 10000}}, {.processes = 6, .max_seconds = 30}, 3);
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
  const Report report = run(world, {.processes = 6, .max_seconds = 60}, 1);
  for (const ProcessTrace& trace : report.traces)
    for (const auto& times : trace.warmup_us) EXPECT_GE(times.size(), 4U);
  EXPECT_GE(report.outcomes.at(0).warmup_runs, 5U);  // the first inference is one
  EXPECT_LT(report.outcomes.at(0).percentiles.max, 25000);
  EXPECT_GT(report.outcomes.at(0).first_us, 400000);
}

TEST(BenchMeasure, KeepsItsTimeLimit) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 20000}}, clock, 1);
  measure(test::variants(2), {.max_seconds = 20}, launcher, clock);
  EXPECT_EQ(launcher.started, 10U);  // as many as the cost of the first round allows
  EXPECT_LE(clock.seconds(), 21);
  EXPECT_GE(clock.seconds(), 18);
}

TEST(BenchMeasure, BeginsNoBlockThatWouldEndTooLate) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {1e6, 1e6}, .jitter = 0.001, .warmup_factor = 1}, clock, 1);
  measure(test::variants(2), {.processes = 1, .max_seconds = 60}, launcher, clock);
  EXPECT_LE(clock.seconds(), 60);
  EXPECT_GT(clock.seconds(), 60 - 5) << "a block takes 4 s";
}

TEST(BenchMeasure, VerySlowModelsGetABlockInEachOfThreeProcessesAndAWarning) {
  const World slow{.run_us = {2e6, 2e6}, .warmup_factor = 1};
  const Report report = run(slow, {.max_seconds = 5}, 1);
  ASSERT_EQ(report.traces.size(), 3U);
  for (const ProcessTrace& trace : report.traces) {
    EXPECT_EQ(trace.blocks.size(), 1U);
    EXPECT_EQ(trace.warmup_us[0].size(), 2U);  // what the profiling executor needs
  }
  EXPECT_TRUE(warns_of(report, "instead of 5: 3 processes need up to 2"));
  EXPECT_EQ(run(slow, {.processes = 4, .max_seconds = 5}, 1).traces.size(), 4U);  // as requested
  EXPECT_FALSE(warns_of(run(slow, {.max_seconds = 400}, 1), "instead of"));
}

TEST(BenchMeasure, FewerProcessesWhereEightDoNotFit) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {3e5, 3e5}, .warmup_factor = 1}, clock, 1);
  const Report report = measure(test::variants(2), {.max_seconds = 20}, launcher, clock);
  EXPECT_LT(report.traces.size(), 6U);
  EXPECT_GE(report.traces.size(), 4U);
  EXPECT_LT(clock.seconds(), 22);
}

TEST(BenchMeasure, ShortRunsShareASlotAfterALeadIn) {
  const Report report = run({.run_us = {100, 20000}}, {}, 1);
  for (const Slot& slot : report.traces.at(0).blocks.at(0).slots) {
    EXPECT_EQ(slot.lead_in, 1);
    EXPECT_GE(slot.runs, slot.variant == 0 ? 40 : 1);
  }
}

/// Neighbours disturb for tens of milliseconds: what takes turns more often than that has its share in all of it.
TEST(BenchMeasure, VariantsTakeTurnsWithinTensOfMilliseconds) {
  const Report report = run({.run_us = {3500, 3500}}, {}, 1);
  for (const Slot& slot : report.traces.at(0).blocks.at(0).slots) EXPECT_LE(slot.runs, 2);
}

TEST(BenchMeasure, IterationsAndWarmupAreWhatWasAskedFor) {
  const Report report = run({.run_us = {1000, 1000}}, {.warmup = 3, .iterations = 7}, 1);
  for (const ProcessTrace& trace : report.traces) {
    EXPECT_EQ(trace.warmup_us.at(0).size(), 3U);
    EXPECT_EQ(trace.blocks.size(), 1U);
  }
  EXPECT_EQ(report.outcomes.at(0).runs, 8U * 8U);  // two slots of four
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
  EXPECT_GT(narrow.traces.size(), 8U);
}

TEST(BenchMeasure, WarnsWhereTheIntervalDidNotGetNarrow) {
  const Report report = run({.run_us = {20000, 20000}, .placement = 0.05}, {.max_seconds = 40, .until_ci = 0.001}, 1);
  EXPECT_FALSE(report.reached_ci);
  EXPECT_TRUE(warns_of(report, "did not get narrower"));
}

TEST(BenchMeasure, DifferentThreadCountsRunInInterleavedProcesses) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 10000}}, clock, 1);
  auto variants = test::variants(2);
  variants[1].runtime.threads = 2;
  const Report report = measure(variants, {.processes = 3, .max_seconds = 10}, launcher, clock);
  EXPECT_EQ(launcher.started, 6U);
  EXPECT_EQ(launcher.runtimes.at(1).threads, 2);
  EXPECT_NEAR(report.ratios.at(0).ratio, 2, 0.05);
  std::vector<std::size_t> ran;  // processes
  for (const test::Call& call : launcher.calls)
    if (call.what == 'r') ran.push_back(call.process);
  const auto last = ran.end();
  EXPECT_NE(*(last - 1), *(last - 3));  // A B B A across the two
  EXPECT_EQ(*(last - 2), *(last - 3));
}

TEST(BenchMeasure, OnlyOneProcessIsActiveAtATime) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 10000, 5000}}, clock, 1);
  auto variants = test::variants(3);
  variants[1].runtime.threads = 2;
  variants[2].runtime.engine = "qnnpack";
  measure(variants, {.processes = 3, .max_seconds = 10}, launcher, clock);
  std::set<std::size_t> active;
  std::size_t runs = 0;
  for (const test::Call& call : launcher.calls) {
    if (call.what == 'z') active.erase(call.process);
    if (call.what != 'l' && call.what != 'r') continue;
    if (call.what == 'r') ++runs;
    active.insert(call.process);
    const std::size_t round = (call.process - 1) / 3;  // the processes of earlier rounds have ended
    EXPECT_EQ(std::count_if(active.begin(), active.end(), [&](std::size_t one) { return (one - 1) / 3 == round; }), 1);
  }
  EXPECT_GT(runs, 50U);
}

TEST(BenchMeasure, ASingleProcessIsNeverSuspended) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 10000}}, clock, 1);
  measure(test::variants(2), {.processes = 3, .max_seconds = 10}, launcher, clock);
  EXPECT_TRUE(std::none_of(launcher.calls.begin(), launcher.calls.end(),
                           [](const test::Call& call) { return call.what == 'z'; }));
}

TEST(BenchMeasure, DifferentEnvironmentsRunInDifferentProcesses) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 10000, 5000}}, clock, 1);
  auto variants = test::variants(3);
  variants[1].environment = {"OMP_WAIT_POLICY=passive"};
  variants[2].environment = variants[1].environment;
  const Report report = measure(variants, {.processes = 3, .max_seconds = 10}, launcher, clock);
  EXPECT_EQ(launcher.started, 6U);
  EXPECT_TRUE(launcher.environments.at(0).empty());
  EXPECT_EQ(launcher.environments.at(1), variants[1].environment);
  EXPECT_EQ(report.outcomes.at(1).environment, variants[1].environment);
  EXPECT_EQ(from_json(to_json(report), "x").outcomes.at(2).environment, variants[1].environment);
}

TEST(BenchMeasure, RatiosCompareTheTimePerSampleWithTheRequestedVariant) {
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

TEST(BenchMeasure, EachVariantIsLoadedFirstInSomeProcessForItsPeakMemory) {
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

TEST(BenchMeasure, EachLoadStandsElsewhereInMemory) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {9000, 9000}}, clock, 1);
  measure(test::variants(2), {.max_seconds = 10}, launcher, clock);
  std::set<std::size_t> paddings(launcher.paddings.begin(), launcher.paddings.end());
  EXPECT_GE(launcher.paddings.size(), 6U);
  EXPECT_EQ(paddings.size(), launcher.paddings.size());
  for (const std::size_t padding : paddings) {
    EXPECT_EQ(padding % 64, 0U);
    EXPECT_LT(padding, std::size_t{4} << 20);
  }
}

TEST(BenchMeasure, OneProcessIsReportedWithAWarning) {
  const Report report = run({.run_us = {20000, 20000}}, {.processes = 1, .max_seconds = 5}, 1);
  EXPECT_TRUE(warns_of(report, "one process only"));  // there may be warnings about this machine's noise, too
}

TEST(BenchMeasure, ADyingProcessEndsItAndNoProcessIsLeft) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 20000}}, clock, 1);
  launcher.dies_in_process = 3;
  EXPECT_THROW(measure(test::variants(2), {}, launcher, clock), Error);
  EXPECT_EQ(launcher.alive, 0U);
}

TEST(BenchMeasure, AnInterruptEndsItAndNoProcessIsLeft) {
  FakeClock clock;
  FakeLauncher launcher({.run_us = {20000, 20000}}, clock, 1);
  Options options;
  options.interrupted = [&] { return clock.seconds() > 0.1; };  // before the first block
  EXPECT_THROW(measure(test::variants(2), options, launcher, clock), Interrupted);
  EXPECT_EQ(launcher.alive, 0U);
  EXPECT_LT(clock.seconds(), 1);
}

TEST(BenchMeasure, WhatWasMeasuredBeforeAnInterruptIsReported) {
  for (const double second : {2.5, 5.0, 9.0}) {
    FakeClock clock;
    FakeLauncher launcher({.run_us = {20000, 10000}}, clock, 1);
    Options options;
    options.interrupted = [&] { return clock.seconds() > second; };
    const Report report = measure(test::variants(2), options, launcher, clock);
    EXPECT_TRUE(report.interrupted);
    EXPECT_TRUE(warns_of(report, "interrupted: these are the figures of"));
    EXPECT_NEAR(report.ratios.at(0).ratio, 2, 0.1) << second;
    EXPECT_EQ(launcher.alive, 0U);
    EXPECT_LT(clock.seconds(), second + 1);
  }
  EXPECT_FALSE(run({.run_us = {20000, 10000}}, {}, 1).interrupted);
}

TEST(BenchMeasure, RefusesWrongOptions) {
  const auto with = [](const Options& options) { return [=] { run({.run_us = {1}}, options, 1); }; };
  using fusekit::test::refuses;
  EXPECT_TRUE(refuses(ErrorKind::usage, "no model", [] { run({.run_us = {}}, {}, 1); }));
  EXPECT_TRUE(refuses(ErrorKind::usage, "bench::Options::processes", with({.processes = 0})));
  EXPECT_TRUE(refuses(ErrorKind::usage, "bench::Options::max_seconds", with({.max_seconds = 0})));
  EXPECT_TRUE(refuses(ErrorKind::usage, "bench::Options::iterations", with({.iterations = 0})));
  EXPECT_TRUE(refuses(ErrorKind::usage, "bench::Options::warmup", with({.warmup = -1})));
}

}  // namespace
}  // namespace fusekit::bench
