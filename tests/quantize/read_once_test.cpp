// Files are read once: each is taken away as soon as it was used.
#include <gtest/gtest.h>

#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "ir/model_parts.h"
#include "quantize/observe/network.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "verify/allowance.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;

torch::jit::Module small_network() {
  at::manual_seed(4);
  return test::make_module("Net", {{"c.weight", at::randn({4, 3, 3, 3})}},
                           "def forward(self, x):\n    return torch.conv2d(x, self.c.weight)\n");
}

class ReadOnce : public testing::TestWithParam<Rounding> {
 protected:
  /// Ten pictures.
  QuantizeOptions calibrated_on_pictures() {
    fs::create_directory(folder_ / "photos");
    for (int k = 0; k < 10; ++k)
      fs::copy_file(fs::path(FUSEKIT_SOURCE_DIR) / "tests/inputs/pictures/color.png",
                    folder_ / ("photos/" + std::to_string(k) + ".png"));
    QuantizeOptions options;
    options.rounding = GetParam();
    options.calibration.paths = {folder_ / "photos"};
    options.calibration.pictures.resize = 16;
    options.calibration.pictures.crop = 12;
    return options;
  }

  test::TemporaryFolder folder_;
};

TEST_P(ReadOnce, NoPictureIsDecodedTwiceAndTheNetworkIsLoadedOnce) {
  test::save_module(small_network(), folder_ / "float.pt");
  QuantizeOptions options = calibrated_on_pictures();
  const std::string observing = "observing ";
  options.progress = [&](double, const std::string& what) {
    if (!what.starts_with(observing)) return;
    EXPECT_TRUE(fs::remove(folder_ / what.substr(observing.size()))) << what;
  };
  Model model = read(folder_ / "float.pt");
  fs::remove(folder_ / "float.pt");
  const QuantizeReport report = to_int8(model, options);
  EXPECT_EQ(report.samples, 10U);
  EXPECT_TRUE(fs::is_empty(folder_ / "photos")) << "not every picture was observed";
  const WriteReport written = write(std::move(model), folder_ / "int8.pt");
  EXPECT_TRUE(written.written);
  ASSERT_TRUE(written.methods.front().report);
  EXPECT_EQ(written.methods.front().report->samples, std::min<int>(3, GetParam() == Rounding::nearest ? 10 : 2));
}

INSTANTIATE_TEST_SUITE_P(Roundings, ReadOnce,
                         testing::Values(Rounding::nearest, Rounding::corrected, Rounding::learned),
                         [](const auto& info) { return to_string(info.param); });

/// Calibrated on random numbers.
Model quantized(const fs::path& file) {
  test::save_module(small_network(), file);
  Model model = read(file);
  QuantizeOptions options;
  options.calibration.random = 9;
  options.calibration.inputs.dims = {{1, 3, 6, 6}};
  to_int8(model, options);
  return model;
}

TEST(Network, ItsRunsLeaveTheProgramAsItIs) {
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", {{"count", at::zeros({1})}, {"weight", at::ones({1})}},
                                      "def forward(self, x):\n"
                                      "    self.count.add_(1)\n"
                                      "    return x + self.count + self.weight\n"),
                    folder / "net.pt");
  const Model model = read(folder / "net.pt");
  const ir::Program& program = ModelParts::of(model).program;
  quantize::Network network(ir::copy_of(program));
  for (const double value : {2.0, 3.0}) EXPECT_EQ(network.run({at::zeros({1})}).toTensor().item<double>(), value);
  EXPECT_EQ(program.original.attr("count").toTensor().item<double>(), 0);
}

TEST(Int8Write, WritesNothingThatIsFurtherOffThanItWasInMemory) {
  const test::TemporaryFolder folder;
  Model model = quantized(folder / "float.pt");
  gate::Allowance stricter = *ModelParts::of(model).allowance;
  EXPECT_GT(stricter.min_sqnr_db, 10);
  stricter.min_sqnr_db += 100;
  ModelParts::of(model).allowance = std::make_shared<gate::Allowance>(stricter);
  const WriteReport report = write(std::move(model), folder / "int8.pt");
  EXPECT_FALSE(report.written);
  ASSERT_NE(report.failure(), nullptr);
  EXPECT_TRUE(report.failure()->failure.starts_with("run 1 of random[")) << report.failure()->failure;
  EXPECT_EQ(folder.entries(), 1U);
}

// What was fitted to a sample is nearer to it than to any other: a road that rounds otherwise may lose that.
TEST(Int8Write, WhatWasFittedToItsJudgesIsHeldToLess) {
  at::manual_seed(4);
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", {{"c.weight", at::randn({8, 3, 3, 3}) / 5}},
                                      "def forward(self, x):\n  return torch.relu(torch.conv2d(x, self.c.weight))\n"),
                    folder / "in.pt");
  const auto slack = [&](Rounding rounding, std::size_t samples) {
    Model model = read(folder / "in.pt");
    QuantizeOptions options;
    options.calibration.random = samples;
    options.calibration.inputs.dims = {{1, 3, 12, 12}};
    options.rounding = rounding;
    const QuantizeReport report = to_int8(model, options);
    EXPECT_EQ(report.rounding, rounding);
    return report.worst_sqnr_db - ModelParts::of(model).allowance->min_sqnr_db;
  };
  EXPECT_NEAR(slack(Rounding::corrected, 4), 12, 1e-9);
  EXPECT_NEAR(slack(Rounding::corrected, 8), 6, 1e-9) << "judged on others";
  EXPECT_NEAR(slack(Rounding::nearest, 4), 6, 1e-9);
}

}  // namespace
}  // namespace fusekit
