#include "bench/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/fake.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit::bench {
namespace {

TEST(Profile, OperatorsCountToTheModuleWhoseWeightsTheyRead) {
  const fusekit::test::TemporaryFolder folder;
  const auto module = fusekit::test::make_module(
      "Net", {{"body.conv.weight", torch::randn({4, 3, 3, 3})}, {"head.weight", torch::randn({10, 4})}},
      "def forward(self, x):\n"
      "    x = torch.relu(torch.conv2d(x, self.body.conv.weight))\n"
      "    x = torch.mean(x, [2, 3])\n"
      "    y = torch.zeros([1, 10])\n"
      "    for i in range(3):\n"
      "        y = torch.sigmoid(y) + torch.matmul(x * (i + 2), torch.t(self.head.weight))\n"
      "    return y\n");
  fusekit::test::save_module(module, folder / "net.pt");
  Variant variant;
  variant.label = "net";
  variant.model = folder / "net.pt";
  variant.arguments.inputs.dims = {{1, 3, 16, 16}};
  const Profile found = profile(variant, real_clock(), 0);
  const auto layer = [&](const std::string& scope, const std::string& op) {
    const auto place = std::find_if(found.layers.begin(), found.layers.end(),
                                    [&](const LayerTime& l) { return l.scope == scope && l.op == op; });
    return place == found.layers.end() ? LayerTime{} : *place;
  };
  EXPECT_EQ(layer("body.conv", "aten::conv2d").calls, 1);
  EXPECT_EQ(layer("body.conv", "aten::relu").calls, 1);  // without weights: counts to the module before
  EXPECT_EQ(layer("head", "aten::matmul").calls, 3);
  double sum = 0;
  for (const LayerTime& l : found.layers) {
    EXPECT_GT(l.us, 0);
    EXPECT_NE(l.op, "aten::convolution");  // inside conv2d
    sum += l.us;
  }
  EXPECT_LE(sum, found.forward_us);
  EXPECT_EQ(found.label, "net");
}

TEST(Profile, WhatTheInterpreterDoesItselfHasAName) {
  const fusekit::test::TemporaryFolder folder;
  fusekit::test::save_module(
      fusekit::test::make_module("Net", {}, "def forward(self, x):\n    a, b = x.chunk(2, 1)\n    return a + b\n"),
      folder / "net.pt");
  Variant variant;
  variant.label = "net";
  variant.model = folder / "net.pt";
  variant.arguments.inputs.dims = {{1, 4}};
  Report report;
  report.profiles.push_back(profile(variant, real_clock(), 0));
  const Report read = from_json(to_json(report), "x");
  ASSERT_FALSE(read.profiles.at(0).layers.empty());
  for (const LayerTime& layer : read.profiles.at(0).layers) EXPECT_NE(layer.op, "");
}

TEST(Profile, IsTakenOfEachModelAfterTheTimedRounds) {
  test::FakeClock clock;
  test::FakeLauncher launcher({.run_us = {20000, 10000}}, clock, 1);
  const Report report = measure(test::variants(2), {.processes = 6, .profile = true}, launcher, clock);
  ASSERT_EQ(report.profiles.size(), 2U);
  EXPECT_EQ(launcher.calls.back().what, 'p');
  EXPECT_EQ(launcher.started, 8U);
  const std::string table = to_profile_table(report);
  EXPECT_NE(table.find("conv               60.00  60.0 %"), std::string::npos) << table;
  EXPECT_NE(table.find("between operators  10.00  10.0 %"), std::string::npos) << table;
  EXPECT_NE(table.find("aten::conv2d"), std::string::npos) << table;
  EXPECT_LT(table.find("aten::relu"), table.find("aten::conv2d")) << "where most can be won is first\n" << table;
  EXPECT_NE(table.find("measured beside it on 1 thread: 75.00 GFLOP/s in float; 9.000 GB/s from memory"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("aten::relu: 26.00 us, 26 % of a run above what this machine needs"), std::string::npos)
      << table;
}

TEST(Profile, JsonHoldsTheSame) {
  test::FakeClock clock;
  test::FakeLauncher launcher({.run_us = {20000, 10000}}, clock, 1);
  const Report report = measure(test::variants(2), {.processes = 3, .profile = true}, launcher, clock);
  const auto written = nlohmann::json::parse(to_json(report)).at("profiles").at(1);
  for (const char* key : {"label", "forward_us", "plain_us", "between_us", "observer_us", "page_faults",
                          "page_faults_us", "machine", "next", "layers", "modules", "operators"})
    EXPECT_TRUE(written.contains(key)) << key;
  const auto& layer = written.at("layers").at(0);
  EXPECT_EQ(layer.at("operator"), "aten::conv2d");
  EXPECT_EQ(layer.at("scope"), "conv");
  EXPECT_DOUBLE_EQ(layer.at("share"), 0.6);
  EXPECT_DOUBLE_EQ(layer.at("gflops_per_second"), 50);
  EXPECT_DOUBLE_EQ(layer.at("gb_per_second"), 1e5 / 60e3);
  EXPECT_DOUBLE_EQ(layer.at("gain_us"), 20);
  EXPECT_DOUBLE_EQ(layer.at("reached"), 40.0 / 60);
  EXPECT_EQ(layer.at("bound"), "compute");
  EXPECT_DOUBLE_EQ(written.at("between_us"), 10);
  EXPECT_DOUBLE_EQ(written.at("modules").at(0).at("us"), 90);
  EXPECT_EQ(written.at("operators").size(), 2U);
  EXPECT_EQ(written.at("machine").at("flops_per_second").at("float"), 75e9);

  const Profile read = from_json(to_json(report), "x").profiles.at(1);
  EXPECT_EQ(read.layers.at(1).op, "aten::relu");
  EXPECT_EQ(read.layers.at(1).bound, Bound::memory);
  EXPECT_EQ(read.layers.at(0).attainable_us, 40.0);
  EXPECT_EQ(read.layers.at(0).bound, Bound::compute);
  EXPECT_EQ(read.layers.at(0).flops, 3e6);
  EXPECT_EQ(read.machine.bandwidth.at(1).bytes_per_second, 9e9);
  EXPECT_EQ(read.machine.fault_us, 0.2);
}

}  // namespace
}  // namespace fusekit::bench
