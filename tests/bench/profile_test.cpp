#include "bench/profile.h"

#include <gtest/gtest.h>

#include <algorithm>

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
  EXPECT_EQ(from_json(to_json(report), "x").profiles.at(1).layers.at(0).op, "aten::conv2d");
}

}  // namespace
}  // namespace fusekit::bench
