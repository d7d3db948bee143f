// Reports as JSON, CSV, Markdown and tables.
#include <gtest/gtest.h>

#include <algorithm>

#include "bench/fake.h"
#include "fusekit/bench_formats.h"
#include "fusekit/columns.h"
#include "fusekit/error.h"

namespace fusekit::bench {
namespace {

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

TEST(Reports, WhatIsNotSignificantIsMarked) {
  Report report = measured();
  EXPECT_EQ(to_table(report).find('~'), std::string::npos) << to_table(report);
  report.ratios.at(0).verdict = Verdict::no_difference;
  for (const std::string& text : {to_table(report), to_markdown(report)}) {
    EXPECT_NE(text.find(" ~"), std::string::npos) << text;
    EXPECT_NE(text.find("\n~ no measurable difference"), std::string::npos) << text;
  }
}

TEST(Reports, MediansThatContradictTheRatioAreExplained) {
  Report report = measured();
  EXPECT_EQ(to_table(report).find("pairs of runs"), std::string::npos) << to_table(report);
  report.outcomes.at(0).sample_us = 1562;
  report.outcomes.at(1).sample_us = 1275;
  report.ratios.at(0).ratio = 0.993;
  report.ratios.at(0).interval = {0.97, 1.01};
  for (const std::string& text : {to_table(report), to_markdown(report)})
    EXPECT_NE(text.find("\nspeed comes from pairs of runs side by side"), std::string::npos) << text;
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
  Report without_starts = measured();
  for (Outcome& outcome : without_starts.outcomes) outcome.load_us = 0;
  EXPECT_EQ(to_start_table(without_starts), "");
}

TEST(Reports, TablesFitTheTerminal) {
  Report report = measured();
  for (std::size_t i = 0; i < 2; ++i) {
    report.outcomes[i].label =
        "a_network_with_a_rather_long_name_" + std::to_string(i) + "_for_a_file.pt [float, 2 threads]";
    report.outcomes[i].samples = 8;
  }
  report.ratios.front().interval = {0.5, 0.6};  // contradicts the medians: a legend
  Profile profile{.label = "a", .forward_us = 100, .layers = {}};
  profile.layers.push_back({.scope = "encoder.layers.11.some.rather.deeply.nested.module.attention.query",
                            .op = "aten::_transformer_encoder_layer_fwd_with_a_long_name",
                            .us = 60,
                            .calls = 1});
  report.profiles = {profile};
  const auto rows_of = [](const std::string& text) {
    std::vector<std::string> rows;
    for (std::size_t at = 0; at < text.size();
         at = text.find('\n', at) == std::string::npos ? text.size() : text.find('\n', at) + 1)
      rows.push_back(text.substr(at, text.find('\n', at) - at));
    return rows;
  };
  for (const std::size_t columns : {70U, 80U, 120U}) {
    const auto times = rows_of(to_table(report, columns));
    for (std::size_t r = 0; r < 3; ++r) EXPECT_LE(columns_of(times.at(r)), columns) << times[r];
    EXPECT_NE(times.at(1).substr(0, 20), times.at(2).substr(0, 20));
    EXPECT_NE(times.at(0).find("speed"), std::string::npos);
    for (const std::string& table : {to_start_table(report, columns), to_profile_table(report, columns)})
      for (const std::string& row : rows_of(table)) EXPECT_LE(columns_of(row), columns) << row;
  }
  EXPECT_NE(to_table(report, 80).find("for want of columns without p99.9"), std::string::npos) << to_table(report, 80);
  EXPECT_EQ(to_table(report).find("want of"), std::string::npos);
  EXPECT_NE(to_table(report).find(report.outcomes[0].label), std::string::npos) << "scripts get whole names";
}

}  // namespace
}  // namespace fusekit::bench
