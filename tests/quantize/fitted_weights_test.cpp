// Fitted weights and biases: nearer to the float network on data that they were not learned on, and told so honestly.
#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/error.h"
#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "quantize/score.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

const char* const kDeep =
    "def forward(self, x):\n"
    "    x = torch.relu(torch.conv2d(x, self.c1.weight, self.c1.bias, [1, 1], [1, 1], [1, 1], 1))\n"
    "    x = torch.relu(torch.conv2d(x, self.c2.weight, self.c2.bias, [2, 2], [1, 1], [1, 1], 16))\n"
    "    x = torch.relu(torch.conv2d(x, self.c3.weight, None, [1, 1], [0, 0], [1, 1], 1))\n"
    "    return torch.linear(torch.flatten(x, 1), self.fc.weight, self.fc.bias)\n";

class FittedWeights : public ::testing::Test {
 protected:
  FittedWeights() {
    at::manual_seed(3);
    const std::map<std::string, at::Tensor> tensors{{"c1.weight", at::randn({16, 3, 3, 3}) / 5},
                                                    {"c1.bias", at::randn({16}) / 2},
                                                    {"c2.weight", at::randn({16, 1, 3, 3}) / 3},
                                                    {"c2.bias", at::randn({16}) / 2},
                                                    {"c3.weight", at::randn({32, 16, 1, 1}) / 4},
                                                    {"fc.weight", at::randn({8, 32 * 36}) / 30},
                                                    {"fc.bias", at::randn({8})}};
    test::save_module(test::make_module("Net", tensors, kDeep), folder_ / "float.pt");
    options_.calibration.random = 256;
    options_.calibration.inputs.dims = {{2, 3, 12, 12}};
    options_.calibration.inputs.types = {"float"};
  }

  QuantizeReport quantize(std::optional<Rounding> rounding) {
    options_.rounding = rounding;
    Model model = read(folder_ / "float.pt");
    QuantizeReport report = to_int8(model, options_);
    std::filesystem::remove(folder_ / "int8.pt");
    EXPECT_TRUE(write(std::move(model), folder_ / "int8.pt").written);
    return report;
  }

  /// SQNR in dB of the written file on inputs that are not among the samples.
  double sqnr() const {
    const torch::NoGradGuard no_grad;
    torch::jit::Module before = torch::jit::load(folder_ / "float.pt");
    torch::jit::Module after = torch::jit::load(folder_ / "int8.pt");
    at::manual_seed(99);
    double signal = 0;
    double noise = 0;
    for (int run = 0; run < 8; ++run) {
      const at::Tensor x = at::randn({2, 3, 12, 12});
      const at::Tensor truth = before.forward({x}).toTensor();
      signal += truth.square().sum().item<double>();
      noise += (truth - after.forward({x}).toTensor()).square().sum().item<double>();
    }
    return 10 * std::log10(signal / noise);
  }

  test::TemporaryFolder folder_;
  QuantizeOptions options_;
};

TEST_F(FittedWeights, AreNearerThanTheNearestOnOtherData) {
  quantize(Rounding::nearest);
  const double nearest = sqnr();
  EXPECT_EQ(quantize(Rounding::learned).rounding, Rounding::learned);
  EXPECT_GT(sqnr(), nearest + 0.7);
}

TEST_F(FittedWeights, AreJudgedByOtherSamplesThanTheyWereLearnedOn) {
  const QuantizeReport report = quantize(Rounding::learned);
  EXPECT_NEAR(report.whole.sqnr_db, sqnr(), 1.5);
}

/// Ten layers one behind the other, whose few large weights make the levels of all others coarse.
void save_chain(const std::filesystem::path& file) {
  at::manual_seed(4);
  std::map<std::string, at::Tensor> tensors;
  std::string source = "def forward(self, x):\n";
  for (int i = 0; i < 10; ++i) {
    at::Tensor weight = at::randn({16, i == 0 ? 3 : 16, 1, 1}) / 4;
    weight[i][0] += 6;
    tensors[fmt::format("c{}.weight", i)] = weight;
    tensors[fmt::format("c{}.bias", i)] = at::randn({16}) / 2;
    source += fmt::format("    x = torch.relu(torch.conv2d(x, self.c{0}.weight, self.c{0}.bias))\n", i);
  }
  test::save_module(test::make_module("Chain", tensors, source + "    return x\n"), file);
}

TEST_F(FittedWeights, NoErrorIsMadeUpForTwice) {
  save_chain(folder_ / "float.pt");
  options_.qconfig = Qconfig::qnnpack;
  options_.calibration.random = 64;
  quantize(Rounding::nearest);
  const double nearest = sqnr();
  quantize(Rounding::learned);
  EXPECT_GT(sqnr(), nearest + 6);
}

TEST_F(FittedWeights, AreTheDefaultOfAutoAndFittedBiasesThatOfPyTorchsQConfigs) {
  EXPECT_EQ(quantize({}).rounding, Rounding::learned);
  options_.qconfig = Qconfig::qnnpack;
  EXPECT_EQ(quantize({}).rounding, Rounding::corrected);
}

TEST_F(FittedWeights, CorrectedBiasesLeaveTheNearestLevelsAndComeNearer) {
  save_chain(folder_ / "float.pt");
  options_.qconfig = Qconfig::qnnpack;
  options_.calibration.random = 64;
  const auto first_layer = [&] {
    const auto packed = torch::jit::load(folder_ / "int8.pt").attr("c1").toModule().attr("_packed_params").toObject();
    return packed->type()->getMethod("unpack")({packed}).toTupleRef().elements().vec();
  };
  quantize(Rounding::nearest);
  const double nearest = sqnr();
  const auto nearest_layer = first_layer();
  EXPECT_EQ(quantize(Rounding::corrected).rounding, Rounding::corrected);
  const auto corrected_layer = first_layer();
  EXPECT_GT(sqnr(), nearest + 3);
  EXPECT_TRUE(at::equal(corrected_layer[0].toTensor().int_repr(), nearest_layer[0].toTensor().int_repr()));
  EXPECT_FALSE(at::equal(corrected_layer[1].toTensor(), nearest_layer[1].toTensor()));
}

TEST_F(FittedWeights, LearnedLevelsAreKeptOnlyWhereTheyAreBetterOnOtherSamples) {
  options_.calibration.random = 8;
  for (int seed = 0; seed < 6; ++seed) {
    at::manual_seed(seed);
    const std::map<std::string, at::Tensor> tensors{{"a.weight", at::randn({40, 60}) / 8},
                                                    {"b.weight", at::randn({3, 40}) / 6}};
    test::save_module(test::make_module("Net", tensors,
                                        "def forward(self, x):\n"
                                        "    x = torch.relu(torch.linear(x, self.a.weight))\n"
                                        "    return torch.linear(x, self.b.weight)\n"),
                      folder_ / "float.pt");
    options_.calibration.inputs.dims = {{1, 60}};
    const double corrected = quantize(Rounding::corrected).whole.sqnr_db;
    const QuantizeReport report = quantize(Rounding::learned);
    EXPECT_GE(report.whole.sqnr_db, corrected) << seed << " " << to_string(report.rounding);
  }
}

TEST_F(FittedWeights, LayersAreLearnedAnewWhereOthersWentBackToFloat) {
  options_.calibration.random = 32;
  options_.skip = {"c2"};
  const QuantizeReport skipped = quantize(Rounding::learned);
  options_.skip.clear();
  options_.min_sqnr_db = skipped.whole.sqnr_db;
  const QuantizeReport report = quantize(Rounding::learned);
  EXPECT_TRUE(report.bound_holds);
  EXPECT_GE(report.whole.sqnr_db, skipped.whole.sqnr_db);
}

std::set<std::string> names(const std::vector<quantize::Sample>& samples) {
  std::set<std::string> result;
  for (const quantize::Sample& sample : samples) result.insert(sample.name);
  return result;
}

quantize::SampleSplit split_of(int count, bool learned) {
  CalibrationOptions options;
  options.random = count;
  options.inputs.dims = {{1}};
  quantize::Samples samples(options, {"x"});
  samples.keep(quantize::most_to_split(learned));
  while (samples.next()) {
  }
  return quantize::split_samples(samples.take_kept(), learned);
}

TEST(SampleSplit, SamplesAreSplitInTwoWhereThereAreEnough) {
  for (const int count : {8, 31, 128, 500}) {
    const auto split = split_of(count, true);
    const std::set<std::string> learned = names(split.learned);
    EXPECT_EQ(learned.size() + split.judged.size(), std::min<std::size_t>(count, 128));
    EXPECT_GE(split.judged.size(), std::min<std::size_t>(count / 4, 64));
    for (const std::string& name : names(split.judged)) EXPECT_EQ(learned.count(name), 0U) << name;
  }
}

TEST(SampleSplit, FewSamplesServeForBoth) {
  const auto split = split_of(7, true);
  EXPECT_EQ(split.learned.size(), 7U);
  EXPECT_EQ(names(split.learned), names(split.judged));
}

TEST(SampleSplit, WithoutLearningAllAreForJudging) {
  const auto split = split_of(256, false);
  EXPECT_TRUE(split.learned.empty());
  EXPECT_EQ(split.judged.size(), 64U);
}

}  // namespace
}  // namespace fusekit
