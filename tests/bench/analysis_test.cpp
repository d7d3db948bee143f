#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bench/fake.h"
#include "bench/traces.h"
#include "fusekit/bench_analysis.h"

namespace fusekit::bench {
namespace {

TEST(BenchAnalysis, StreamsCountByTheWallClock) {
  auto variants = test::variants(2);
  variants[1].streams = 2;
  ProcessTrace trace;
  trace.loads.resize(2);
  // Two streams of 10 runs that take 150 us each, side by side: 75 us an inference, against 100.
  Block block{{{0, 0, 10}, {1, 0, 10}}, {{std::vector<double>(10, 100), 1000}, {std::vector<double>(20, 150), 1500}}};
  trace.blocks.assign(3, block);
  const Report report = analyze(variants, {trace, trace, trace}, 0.95);
  EXPECT_NEAR(report.ratios.at(0).ratio, 100.0 / 75, 1e-9);
  EXPECT_NEAR(report.outcomes[1].median_us, 150, 1e-9);
  EXPECT_NEAR(report.outcomes[1].sample_us, 75, 1e-9);
}

/// A trace of blocks a b b a.
ProcessTrace trace_of(const std::vector<std::vector<std::vector<double>>>& blocks) {
  ProcessTrace trace;
  trace.loads.resize(2);
  for (const auto& runs : blocks) {
    Block block;
    const std::size_t order[] = {0, 1, 1, 0};
    for (std::size_t i = 0; i < 4; ++i) {
      block.slots.push_back({order[i], 0, static_cast<int>(runs[i].size())});
      block.times.push_back({runs[i], 0});
    }
    trace.blocks.push_back(block);
  }
  return trace;
}

TEST(BenchAnalysis, ComparesRunsOfTheSameBlock) {
  // The machine is three times as slow in the second block: runs of different blocks must not be compared.
  const ProcessTrace trace = trace_of({{{100, 100}, {50, 50}, {50, 50}, {100, 100}}, {{300}, {150}, {150}, {300}}});
  const auto pairs = pair_log_ratios(trace, {0, 1, false, false});
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_EQ(pairs[0].size(), 16U);
  for (const auto& block : pairs)
    for (const double ratio : block) EXPECT_NEAR(ratio, std::log(2.0), 1e-12);
}

TEST(BenchAnalysis, OneDisturbedSlotOfFourChangesNothing) {
  const std::vector<std::vector<double>> undisturbed = {{100, 101}, {100, 101}, {100, 101}, {100, 101}};
  const ProcessTrace trace = trace_of({undisturbed, {{100, 101}, {100, 101}, {900, 800}, {100, 101}}});
  const Report report = analyze(test::variants(2), {trace, trace, trace}, 0.95);
  EXPECT_NEAR(report.ratios.at(0).ratio, 1, 0.011);
}

TEST(BenchAnalysis, UsesQuantilesForMoreThanSixteenRuns) {
  std::vector<double> many;
  for (int i = 1; i <= 320; ++i) many.push_back(320 - i + 0.5);
  const auto pairs = pair_log_ratios(trace_of({{many, {1}, {1}, many}}), {0, 1, false, false});
  ASSERT_EQ(pairs.at(0).size(), 2U * 16 * 2);
  EXPECT_NEAR(std::exp(*std::min_element(pairs[0].begin(), pairs[0].end())), 10.5, 1e-9);
  EXPECT_NEAR(std::exp(*std::max_element(pairs[0].begin(), pairs[0].end())), 310.5, 1e-9);
}

TEST(BenchAnalysis, TooFewBlocksInOneProcessGiveNoVerdict) {
  const std::vector<std::vector<double>> block = {{100}, {50}, {50}, {100}};
  const Report one = analyze(test::variants(2), {trace_of({block})}, 0.95);
  EXPECT_EQ(one.ratios.at(0).verdict, Verdict::no_difference);
  EXPECT_EQ(verdict_text(one, one.ratios[0]),
            "too few runs to compare a.pt and b.pt; give bench::Options::max_seconds more or more processes");
  EXPECT_TRUE(std::isinf(from_json(to_json(one), "x").ratios.at(0).detectable));
  EXPECT_EQ(analyze(test::variants(2), {trace_of({5, block})}, 0.95).ratios.at(0).verdict, Verdict::faster);
}

TEST(BenchAnalysis, VerdictsReadAsSentences) {
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
