#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bench/distribution.h"
#include "bench/fake.h"
#include "bench/statistics.h"
#include "fusekit/bench.h"
#include "fusekit/error.h"
#include "support/temporary_folder.h"

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

Gate gate(const std::vector<double>& now, double allowed) {
  return compare_with_baseline(with_medians(now), with_medians(kBefore), allowed, false).at(0);
}

TEST(BenchGate, FallsOnlyBeyondDoubt) {
  EXPECT_TRUE(gate(scaled(kBefore, 1.05), 0.03).regressed);
  EXPECT_FALSE(gate(scaled(kBefore, 1.035), 0.03).regressed);  // its interval reaches below 3 %
  EXPECT_FALSE(gate(scaled(kBefore, 1.02), 0.03).regressed);
  EXPECT_FALSE(gate(scaled(kBefore, 0.5), 0.03).regressed);
  EXPECT_NEAR(gate(scaled(kBefore, 1.05), 0.03).slowdown, 0.05, 1e-9);
}

TEST(BenchGate, NoisyTimesDoNotFall) { EXPECT_FALSE(gate({100, 130, 95, 110, 140, 98}, 0.03).regressed); }

TEST(BenchGate, AnotherMachineIsAnErrorUnlessAllowed) {
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

TEST(BenchGate, OfARatioIsItsInverse) {
  Report report = with_medians(kBefore);
  report.outcomes.push_back(report.outcomes[0]);
  Ratio ratio;
  ratio.variant = 1;
  ratio.ratio = 1 / 1.1;
  ratio.interval = {1 / 1.12, 1 / 1.08};
  ratio.process_log_ratios = {-0.09, -0.1, -0.095, -0.09, -0.1, -0.095};
  const Gate found = gates_of(report, {ratio}, 0.03).at(0);
  EXPECT_TRUE(found.regressed);
  EXPECT_NEAR(found.interval.low, 0.08, 1e-9);
  EXPECT_NEAR(found.interval.high, 0.12, 1e-9);
  EXPECT_FALSE(gates_of(report, {ratio}, 0.09).at(0).regressed);
}

/// Cells of a matrix whose processes' log-slowdowns lie around `centres`, as gates see them.
std::vector<Gate> gates(const std::vector<double>& centres, double allowed, std::mt19937_64& generator) {
  std::normal_distribution<double> noise(0, 0.01);
  Report report;
  report.outcomes.resize(centres.size() + 1);
  for (std::size_t cell = 0; cell < centres.size(); ++cell) {
    std::vector<double> speeds(10);
    for (double& speed : speeds) speed = -centres[cell] + noise(generator);
    const Estimate estimate = centre_estimate(speeds, report.confidence);
    report.ratios.push_back({cell + 1,
                             0,
                             std::exp(estimate.centre),
                             {std::exp(estimate.interval.low), std::exp(estimate.interval.high)},
                             estimate.detectable,
                             Verdict::no_difference,
                             speeds});
  }
  return gates_of(report, report.ratios, allowed);
}

TEST(BenchGate, ManyCellsTogetherCryWolfNoMoreOftenThanOne) {
  std::mt19937_64 generator(3);
  int alarms = 0;
  constexpr int trials = 500;
  for (int trial = 0; trial < trials; ++trial) {
    // All of them just as slow as is allowed: each by itself would fall in 2.4 % of cases, one of twenty in 39 %.
    const std::vector<Gate> all = gates(std::vector<double>(20, std::log(1.03)), 0.03, generator);
    if (std::any_of(all.begin(), all.end(), [](const Gate& gate) { return gate.regressed; })) ++alarms;
  }
  EXPECT_LE(alarms, trials * 5 / 100);
}

TEST(BenchGate, WhatIsFoundRegressedLeavesTheOthersMoreOfTheErrorRate) {
  std::mt19937_64 generator(5);
  const std::vector<Gate> all = gates({0.2, 0, 0.2, 0.2, 0.2}, 0.03, generator);
  EXPECT_NEAR(all[0].confidence, 0.99, 1e-12);
  EXPECT_NEAR(all[1].confidence, 0.95, 1e-12);  // the only one left
  EXPECT_FALSE(all[1].regressed);
  EXPECT_TRUE(all[4].regressed);
  EXPECT_NE(all[0].text.find(" at 99 % confidence)"), std::string::npos) << all[0].text;
  EXPECT_EQ(gates({0}, 0.03, generator)[0].text.find("confidence"), std::string::npos);
}

TEST(BenchGate, OfABaselineWithOtherModelsIsAMismatch) {
  Report now = with_medians(kBefore);
  now.outcomes.push_back(now.outcomes[0]);
  now.outcomes[1].label = "b.pt";
  Report baseline = now;
  EXPECT_EQ(compare_with_baseline(now, baseline, 0.03, false).size(), 2U);
  std::swap(baseline.outcomes[0], baseline.outcomes[1]);
  EXPECT_THROW(compare_with_baseline(now, baseline, 0.03, false), Error);
}

Report measured() {
  test::FakeClock clock;
  test::FakeLauncher launcher({.run_us = {20000, 10000}}, clock, 1);
  return measure(test::variants(2), {}, launcher, clock);
}

TEST(Reports, JsonReadsBack) {
  const Report report = measured();
  const Report back = from_json(to_json(report), "x");
  EXPECT_EQ(to_json(back, false), to_json(report, false));
  EXPECT_EQ(back.outcomes.at(1).process_median_us, report.outcomes.at(1).process_median_us);
  EXPECT_NE(to_json(report).find("\"run_us\""), std::string::npos);
  EXPECT_EQ(to_json(report, false).find("\"run_us\""), std::string::npos);
}

TEST(Reports, OtherJsonIsRefusedByName) {
  for (const char* text :
       {"", "{}", "[1]", R"({"schema":"fusekit.bench/9"})", R"({"schema":"fusekit.bench/1"})", R"({"schema":2})"}) {
    try {
      from_json(text, "base.json");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find("base.json"), std::string::npos);
    }
  }
}

TEST(Reports, ABaselineWithImpossibleTimesIsRefused) {
  Report report = measured();
  for (const double bad : {0.0, -1.0}) {
    report.outcomes[0].process_median_us[1] = bad;
    EXPECT_THROW(from_json(to_json(report), "base.json"), Error);
  }
}

TEST(Reports, CsvHasALineAModelAndQuotesWhatItMust) {
  Report report = measured();
  report.outcomes[1].label = "b \"x\", y";
  const std::string csv = to_csv(report);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
  EXPECT_NE(csv.find("\r\n\"b \"\"x\"\", y\",b.pt,"), std::string::npos) << csv;
  EXPECT_TRUE(csv.starts_with("label,model,"));
  const std::string header = csv.substr(0, csv.find('\r'));
  const std::string first = csv.substr(csv.find('\n') + 1, csv.find('\r', csv.find('\n')) - csv.find('\n') - 1);
  EXPECT_EQ(std::count(header.begin(), header.end(), ','), std::count(first.begin(), first.end(), ','));
}

TEST(Reports, MarkdownIsATableAndAVerdict) {
  const std::string text = to_markdown(measured());
  EXPECT_NE(text.find("| a.pt | "), std::string::npos);
  EXPECT_NE(text.find("**b.pt is 1.99x as fast as a.pt (1.98 to 2.0"), std::string::npos) << text;
  EXPECT_NE(text.find("\n| a.pt | 100.0 | "), std::string::npos) << text;  // the fake's start
}

TEST(Reports, SamplesASecondByBatchAreALineForEachModelAndSetting) {
  Report report;
  for (const std::string model : {"a.pt", "b.pt"})
    for (const std::int64_t batch : {1, 8}) {
      Outcome& outcome = report.outcomes.emplace_back();
      outcome.label = model + " [" + std::to_string(batch) + "x3]";
      outcome.model = model;
      outcome.samples = batch;
      outcome.sample_us = (model == "a.pt" ? 1000.0 : 500.0) / static_cast<double>(batch == 8 ? 4 : 1);
    }
  const std::vector<std::string> sentences = {"a.pt [1x3]: samples/s by batch 1: 1000 (1.00x), 8: 4000 (4.00x)",
                                              "b.pt [1x3]: samples/s by batch 1: 2000 (1.00x), 8: 8000 (4.00x)"};
  EXPECT_EQ(scaling_texts(report), sentences);
  EXPECT_NE(to_json(report).find(sentences[1]), std::string::npos);
  EXPECT_NE(to_markdown(report).find("- " + sentences[1] + "\n"), std::string::npos);
  report.outcomes.resize(1);
  EXPECT_TRUE(scaling_texts(report).empty());
}

TEST(Reports, TheStartTableDrawsTheTimesOnOneAxis) {
  const std::string text = to_start_table(measured());
  EXPECT_NE(text.find("load ms"), std::string::npos) << text;
  const std::string a = text.substr(text.find("a.pt"), text.find("b.pt") - text.find("a.pt"));
  const std::string b = text.substr(text.find("b.pt"));
  EXPECT_LT(b.find("█"), a.find("█")) << text;  // twice as fast: further left
  EXPECT_EQ(to_start_table(with_medians({1, 2, 3})), "");
}

TEST(Distribution, CountsInStepsOfTheLogarithm) {
  const std::vector<double> values = {0.5, 1, 1.5, 2, 3, 4, 100};
  EXPECT_EQ(log_histogram(values, 1, 16, 4), (std::vector<std::size_t>{3, 2, 1, 1}));
  EXPECT_EQ(bars(std::vector<std::size_t>{0, 1, 4, 8}), " ▁▄█");
  EXPECT_EQ(bars(std::vector<std::size_t>{0, 0}), "  ");
  EXPECT_EQ(bars(std::vector<std::size_t>{1, 1000}), "▁█");
}

TEST(Samples, ReadsGroupsAndNamesTheLineThatIsNoTime) {
  const fusekit::test::TemporaryFolder folder;
  fusekit::test::write_bytes(folder / "a.txt", "# us\n1.5\n2.5\n\n\n3\r\n");
  EXPECT_EQ(read_samples(folder / "a.txt"), (std::vector<std::vector<double>>{{1.5, 2.5}, {3}}));
  fusekit::test::write_bytes(folder / "b.txt", "1\n2 ms\n");
  try {
    read_samples(folder / "b.txt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("line 2: '2 ms'"), std::string::npos) << error.message();
  }
  for (const char* bad : {"", "0\n", "-1\n", "nan\n", "inf\n"}) {
    fusekit::test::write_bytes(folder / "c.txt", bad);
    EXPECT_THROW(read_samples(folder / "c.txt"), Error) << bad;
  }
  EXPECT_THROW(read_samples(folder / "none.txt"), Error);
  EXPECT_THROW(read_samples(folder.path()), Error);
}

std::vector<std::vector<double>> processes(double level, std::size_t count, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> noise(0, 0.01);
  std::vector<std::vector<double>> groups(count);
  for (auto& group : groups)
    for (int i = 0; i < 40; ++i) group.push_back(level * std::exp(noise(generator)));
  return groups;
}

TEST(Samples, JudgesByProcessesWhereThereAreSome) {
  const Report report = judge_samples(processes(100, 6, 1), "a", processes(90, 6, 2), "b");
  EXPECT_EQ(report.ratios.at(0).verdict, Verdict::faster);
  EXPECT_NEAR(report.ratios.at(0).ratio, 100.0 / 90, 0.01);
  EXPECT_TRUE(report.warnings.empty());
}

TEST(Samples, OneSeriesEachIsJudgedWithAWarning) {
  const Report report = judge_samples(processes(100, 1, 1), "a", processes(110, 1, 2), "b");
  EXPECT_EQ(report.ratios.at(0).verdict, Verdict::slower);
  EXPECT_EQ(report.warnings.size(), 1U);
  EXPECT_EQ(judge_samples(processes(100, 1, 1), "a", processes(100, 1, 2), "b").ratios.at(0).verdict,
            Verdict::no_difference);
  EXPECT_THROW(judge_samples({{1, 2}}, "a", {{1, 2}}, "b"), Error);
}

}  // namespace
}  // namespace fusekit::bench
