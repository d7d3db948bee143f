// What tune makes, and what it chooses by times that are given.
#include "fusekit/tune.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench/fake.h"
#include "file/text_file.h"
#include "fusekit/error.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"
#include "target/cpu/packed_layer.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;
using bench::test::FakeClock;
using bench::test::FakeLauncher;
using bench::test::World;

class Tune : public testing::Test {
 protected:
  void SetUp() override {
    if (!target::PackedLayers::are_supported()) GTEST_SKIP() << "this LibTorch has no mkldnn::_convolution_pointwise";
    torch::manual_seed(3);
    test::save_module(
        test::make_module("Net", {{"a.weight", torch::randn({8, 3, 3, 3})}, {"b.weight", torch::randn({4, 8, 3, 3})}},
                          "def forward(self, x):\n  y = torch.relu(torch.conv2d(x, self.a.weight))\n"
                          "  return torch.conv2d(y, self.b.weight)\n"),
        folder_ / "in.pt");
    options_.inputs.dims = {{1, 3, 9, 9}};
    options_.bench.processes = 8;
  }

  /// With a run of each candidate in so many microseconds, in the order of the report.
  TuneReport tuned(const std::vector<double>& run_us) {
    FakeClock clock;
    FakeLauncher launcher(World{.run_us = run_us}, clock, 1);
    return tune(folder_ / "in.pt", folder_ / "out.pt", options_, launcher, clock);
  }

  [[nodiscard]] bool is_packed() const {
    const auto text = torch::jit::load((folder_ / "out.pt").string()).get_method("forward").graph()->toString(false);
    return text.find("mkldnn::_convolution_pointwise") != std::string::npos;
  }

  static std::vector<std::string> names_of(const TuneReport& report) {
    std::vector<std::string> names;
    for (const Candidate& candidate : report.candidates) names.push_back(candidate.name);
    return names;
  }

  test::TemporaryFolder folder_;
  TuneOptions options_;
};

TEST_F(Tune, WritesTheFastestAndLeavesNothingElse) {
  const TuneReport report = tuned({1000, 950, 500, 800, 810, 500});
  EXPECT_EQ(names_of(report),
            (std::vector<std::string>{"original", "portable", "cpu", "cpu, timed layers", "portable, graph fuser",
                                      "portable, graph fuser, kept heap", "cpu, kept heap"}));
  EXPECT_EQ(report.candidates[report.winner].name, "cpu");
  EXPECT_EQ(report.fastest, report.winner);
  EXPECT_LT(report.candidates[2].error.max_rel, 1e-5);
  EXPECT_TRUE(is_packed());
  EXPECT_EQ(folder_.entries(), 2U);
}

TEST_F(Tune, WhatNeedsASwitchIsToldAndNotWritten) {
  const TuneReport report = tuned({1000, 950, 500, 100, 100, 490});
  EXPECT_EQ(report.candidates[report.winner].name, "cpu");
  const Candidate& fastest = report.candidates[report.fastest];
  EXPECT_EQ(fastest.name, "portable, graph fuser");
  EXPECT_TRUE(fastest.graph_fuser);
  EXPECT_FALSE(fastest.needs_no_switch());
  EXPECT_LT(fastest.error.max_rel, 1e-5);
  EXPECT_GT(fastest.error.max_abs, 0) << "other kernels round otherwise";
  EXPECT_TRUE(fastest.environment.empty());
  for (const std::size_t kept : {5, 6}) EXPECT_FALSE(report.candidates[kept].environment.empty());
  EXPECT_TRUE(report.candidates[5].graph_fuser);
}

TEST_F(Tune, WhatIsNoFasterBeyondDoubtDoesNotWin) {
  const TuneReport report = tuned({1000, 500, 499, 900, 900, 900});
  EXPECT_EQ(report.candidates[report.winner].name, "portable");
  EXPECT_FALSE(is_packed());
}

TEST_F(Tune, ABoundLetsInexactOnesIn) {
  options_.max_error = 0.2;
  options_.calibration = CalibrationOptions{.paths = {}, .pictures = {}, .random = 4, .inputs = {}};
  const TuneReport report = tuned({1000, 900, 500, 300, 600, 400, 390, 380, 900, 900, 500, 310, 550, 560, 200});
  const auto names = names_of(report);
  ASSERT_GE(names.size(), 9U);
  EXPECT_EQ(names[3], "cpu, timed layers");
  EXPECT_EQ(report.candidates[3].refused, "it is the same as \"cpu\"") << "it has no products";
  EXPECT_EQ(names[4], "cpu bfloat16");
  EXPECT_EQ(names[5], "portable bfloat16");
  EXPECT_EQ(names[6], "int8");
  EXPECT_EQ(names[7], "int8 cpu");
  EXPECT_EQ(names[8], "int8 cpu onednn");
  EXPECT_EQ(report.candidates[8].int8_dialect, "onednn");
  EXPECT_GT(report.candidates[8].error.max_rel, 0);
  EXPECT_GT(report.candidates[8].bytes, report.candidates[7].bytes) << "with weights for the other operators";
  EXPECT_EQ(report.candidates[report.winner].name, "cpu bfloat16");
  for (std::size_t i = 1; i < names.size(); ++i) EXPECT_LT(report.candidates[i].error.max_rel, 0.2) << names[i];
  EXPECT_NE(std::find(names.begin(), names.end(), "portable bfloat16, graph fuser"), names.end());
  if (names.size() == 16) {
    EXPECT_EQ(report.fastest, 15U) << "an engine that a plain load has not is told, and not written";
  }
}

TEST_F(Tune, LayersCanBeWrittenByTheirMeasuredTimes) {
  test::save_module(
      test::make_module("Net", {{"a.weight", torch::randn({8, 3, 3, 3})}, {"b.weight", torch::randn({4, 8})}},
                        "def forward(self, x):\n  y = torch.relu(torch.conv2d(x, self.a.weight))\n"
                        "  return torch.linear(y.mean([2, 3]), self.b.weight)\n"),
      folder_ / "in.pt");
  options_.layer_times = folder_ / "times.json";
  tuned({1000, 950, 500, 800, 810, 500, 500});
  nlohmann::json times = nlohmann::json::parse(file::read_text_file(options_.layer_times, ""));
  times["machines"][0]["products"].at("1 rows, 8 to 4")["onednn"] = 0.001;  // by the rules it is one of the others
  file::write_text_file(options_.layer_times, times.dump());
  options_.force = true;
  const TuneReport report = tuned({1000, 950, 500, 400, 800, 810, 500});
  EXPECT_EQ(report.candidates[3].refused, "");
  EXPECT_TRUE(report.candidates[3].times_layers);
  EXPECT_EQ(report.candidates[report.winner].name, "cpu, timed layers");
  const auto text = torch::jit::load((folder_ / "out.pt").string()).get_method("forward").graph()->toString(false);
  EXPECT_NE(text.find("mkldnn::_linear_pointwise"), std::string::npos);
}

TEST_F(Tune, WhatIsTooFarOffIsNoCandidate) {
  options_.max_error = 1e-4;
  const TuneReport report = tuned({1000, 900, 500, 900, 900, 500});
  const Candidate& bfloat16 = report.candidates.at(4);
  EXPECT_EQ(bfloat16.name, "cpu bfloat16");
  EXPECT_NE(bfloat16.refused, "");
  EXPECT_FALSE(bfloat16.outcome.has_value());
  EXPECT_GT(bfloat16.error.max_rel, 1e-4);
  EXPECT_EQ(report.candidates[report.winner].name, "cpu");
}

TEST_F(Tune, AnExistingOutputStaysAndNothingIsTried) {
  tuned({1000, 950, 500, 950, 950, 500});
  const auto before = fs::last_write_time(folder_ / "out.pt");
  EXPECT_TRUE(test::refuses(ErrorKind::file, "exists", [&] { tuned({1000, 950, 500, 950, 950, 500}); }));
  EXPECT_EQ(fs::last_write_time(folder_ / "out.pt"), before);
  options_.force = true;
  tuned({1000, 500, 900, 900, 900, 900});
  EXPECT_FALSE(is_packed());
  EXPECT_EQ(folder_.entries(), 2U);
}

}  // namespace
}  // namespace fusekit
