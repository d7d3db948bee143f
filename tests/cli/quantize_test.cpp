// `fusekit quantize` as its user meets it: whole outputs, exit codes, and what lies in the folder afterwards.
#include <gtest/gtest.h>
#include <torch/script.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "support/module.h"
#include "support/npy.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using test::has;
using test::write_npy;

namespace fs = std::filesystem;

class QuantizeCli : public testing::Test {
 protected:
  QuantizeCli() {
    at::manual_seed(4);
    save("net.pt", at::randn({4, 3, 3, 3}) / 5);
    fs::create_directory(folder_ / "data");
    for (const char* name : {"a.npy", "b.npy", "c.npy"}) write_npy(folder_ / "data" / name, at::randn({1, 3, 8, 8}));
  }

  /// conv c1 + ReLU, Mish, conv c2.
  void save(const std::string& name, const at::Tensor& first) {
    test::save_module(
        test::make_module(
            "Net", {{"c1.weight", first}, {"c1.bias", at::ones({4}) / 2}, {"c2.weight", at::randn({5, 4, 1, 1})}},
            "def forward(self, x):\n"
            "    x = torch.relu(torch.conv2d(x, self.c1.weight, self.c1.bias))\n"
            "    return torch.conv2d(torch.mish(x), self.c2.weight)\n"),
        folder_ / name);
  }

  test::ProgramResult quantize(std::vector<std::string> more, const std::string& net = "net.pt") {
    std::vector<std::string> words{"quantize", path(net), "-o", path("int8.pt"), "--qconfig", "x86"};
    words.insert(words.end(), more.begin(), more.end());
    return test::run_fusekit(words, {"OMP_NUM_THREADS=1"});
  }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// Ended with exit code 2 and nothing written; gives what was said.
  std::string refusal(const test::ProgramResult& result, std::size_t entries = 2) {
    EXPECT_EQ(result.exit_code, 2) << result.out << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(folder_.entries(), entries) << "something is left behind";
    EXPECT_NE(result.err.find("\nhint: "), std::string::npos) << result.err;
    return result.err;
  }

  /// The program's text with the folder's name and fractions, which are the machine's, replaced.
  std::string plain(std::string text) {
    for (auto at = text.find(folder_.path().string()); at != std::string::npos; at = text.find(folder_.path().string()))
      text.replace(at, folder_.path().string().size(), "DIR");
    text = std::regex_replace(text, std::regex("e-[0-9]+"), "");
    return std::regex_replace(text, std::regex(" *[0-9]+\\.[0-9]+"), " #");
  }

  test::TemporaryFolder folder_;
};

TEST_F(QuantizeCli, TellsWhatBecameOfTheNetwork) {
  const auto result = quantize({"--calibrate", path("data"), "--explain"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::size_t timed = result.out.find("on this machine");
  ASSERT_NE(timed, std::string::npos) << result.out;
  const std::regex times(
      R"(on this machine, 1 thread: a run takes about [^ ]+ ms with a plain torch\.jit\.load \(engine [a-z0-9]+\)(, [^ ]+ ms under the engine [a-z0-9]+)?; the float original [^ ]+ ms\n)");
  EXPECT_TRUE(std::regex_match(result.out.substr(timed), times)) << result.out;
  EXPECT_EQ(
      plain(result.out.substr(0, timed)),
      "DIR/net.pt: fused 1 place: 1 conv+relu\n"
      "int8: 2 of 2 convolutions and linears ( # % of the multiply-adds), 2 operators in all; qconfig x86, histogram "
      "observers, nearest rounding with corrected biases, 3 samples\n"
      "calibrated on data (3 samples of 1x3x8x8)\n"
      "against float: SQNR # dB (worst sample #), cosine #, largest error # of the largest output\n"
      "   SQNR dB  saturated       MACs  layer\n"
      " # #% #M  c2                                       convolution\n"
      " # #% #M  c1                                       convolution\n"
      "wrote DIR/int8.pt\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(folder_.entries(), 3U);
  torch::jit::Module written = torch::jit::load(path("int8.pt"));
  EXPECT_EQ(written.forward({at::randn({1, 3, 8, 8})}).toTensor().sizes(), (std::vector<std::int64_t>{1, 5, 6, 6}));
}

TEST_F(QuantizeCli, SaysWhereABoundLeavesNothingInInt8) {
  const auto result = quantize({"--calibrate", path("data"), "--min-sqnr", "200"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.err, "no convolution or linear is int8")) << result.err;
  EXPECT_FALSE(has(result.err, "report this")) << result.err;
}

TEST_F(QuantizeCli, NothingIsSaidOfZerosButThatTheyProveNothing) {
  test::save_module(test::make_module("Net", {{"c1.weight", at::zeros({4, 3, 3, 3})}},
                                      "def forward(self, x):\n    return torch.conv2d(x, self.c1.weight)\n"),
                    folder_ / "zero.pt");
  const auto result = quantize({"--calibrate", path("data")}, "zero.pt");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.err, "nothing is proven")) << result.err;
  EXPECT_FALSE(has(result.out, "nan")) << result.out;
  EXPECT_FALSE(has(result.out, "inf dB")) << result.out;
}

TEST_F(QuantizeCli, SaysHowItReadTheData) {
  write_npy(folder_ / "many.npy", at::randn({9, 3, 8, 8}));
  const auto rows = quantize({"--calibrate", path("many.npy")});
  EXPECT_TRUE(has(rows.out, "\ncalibrated on many.npy (9 samples of 1x3x8x8)\n")) << rows.out << rows.err;
  const auto fours = quantize({"--calibrate", path("many.npy"), "--input_dims", "4,3,8,8", "--force"});
  EXPECT_TRUE(has(fours.out, "\ncalibrated on many.npy (2 samples of 4x3x8x8; 1 row is left over)\n")) << fours.out;
  const auto all = quantize({"--calibrate", path("data"), "--samples", "2", "--force"});
  EXPECT_TRUE(has(all.out, "\ncalibrated on data (3 samples of 1x3x8x8), 2 of them\n")) << all.out;
  const auto json = nlohmann::json::parse(quantize({"--calibrate", path("many.npy"), "--json", "--force"}).out);
  EXPECT_EQ(json.at("samples"), 9);
  EXPECT_EQ(json.at("data"), "many.npy (9 samples of 1x3x8x8)");
  EXPECT_GT(json.at("plain_load").at("plain_seconds"), 0);
}

TEST_F(QuantizeCli, JsonHasTheSameFacts) {
  const auto result = quantize({"--calibrate", path("data/a.npy"), path("data/b.npy"), "--skip", "c2", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["output"], path("int8.pt"));
  EXPECT_GT(json["plain_load"]["plain_seconds"], 0);
  EXPECT_GT(json["plain_load"]["original_seconds"], 0);
  EXPECT_FALSE(json["nothing_proven"]);
  EXPECT_EQ(json["samples"], 2);
  EXPECT_EQ(json["random_calibration"], false);
  EXPECT_EQ(json["qconfig"], "x86");
  EXPECT_EQ(json["int8_operators"], 1);
  EXPECT_GT(json["error"]["sqnr_db"], 15);
  ASSERT_EQ(json["layers"].size(), 2U);
  EXPECT_EQ(json["layers"][0]["path"], "c1");
  EXPECT_EQ(json["layers"][0]["int8"], true);
  EXPECT_EQ(json["layers"][1]["int8"], false);
  EXPECT_EQ(json["layers"][1]["reason"], "it was to be skipped");
  for (const char* key : {"input", "observer", "rounding", "int8_share_of_macs", "fallbacks", "bound_holds", "floats",
                          "fused", "warnings"})
    EXPECT_TRUE(json.contains(key)) << key;
}

TEST_F(QuantizeCli, RandomCalibrationIsMarked) {
  const auto result = quantize({"--random-calibration", "2", "--input-dims", "1,3,8,8"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.err, "warning: calibrated on random numbers")) << result.err;
  EXPECT_TRUE(has(result.out, "2 random samples")) << result.out;
}

TEST_F(QuantizeCli, SaysWhichEngineItRunsUnder) {
  const std::vector<std::string> random = {"--random-calibration", "1", "--input-dims", "1,3,8,8"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), random.begin(), random.end());
    return quantize(more).err;
  };
  const std::string slow = with({"--engine", "qnnpack", "--threads", "2"});
  EXPECT_TRUE(has(slow, "warning: the engine qnnpack gets up to 15 times slower")) << slow;
  const std::string chosen = with({"-v", "--force"});
  EXPECT_TRUE(has(chosen, "\nengine ") || chosen.starts_with("engine ")) << chosen;
}

TEST_F(QuantizeCli, NeedsSomethingToCalibrateOn) {
  EXPECT_TRUE(has(refusal(quantize({})), "error: there is nothing to calibrate on\n"));
  fs::create_directory(folder_ / "empty");
  EXPECT_TRUE(has(refusal(quantize({"--calibrate", path("empty")}), 3), path("empty")));
  EXPECT_TRUE(has(refusal(quantize({"--calibrate", path("nowhere.npy")}), 3), path("nowhere.npy")));
}

TEST_F(QuantizeCli, NamesTheSampleAndTheLayerOfANaN) {
  at::Tensor sample = at::randn({1, 3, 8, 8});
  sample[0][0][0][0] = NAN;
  write_npy(folder_ / "data" / "b.npy", sample);
  const std::string said = refusal(quantize({"--calibrate", path("data")}));
  EXPECT_TRUE(has(said, "data/b.npy: the input x")) << said;
  EXPECT_TRUE(has(said, " has NaN")) << said;
  save("large.pt", at::ones({4, 3, 3, 3}));
  write_npy(folder_ / "data" / "b.npy", at::ones({1, 3, 8, 8}) * 1e38);
  const std::string inf = refusal(quantize({"--calibrate", path("data")}, "large.pt"), 3);
  EXPECT_TRUE(has(inf, "data/b.npy: the output of aten::relu has ")) << inf;
}

TEST_F(QuantizeCli, SamplesHaveToFitTheNetwork) {
  write_npy(folder_ / "data" / "b.npy", at::randn({1, 4, 8, 8}));
  const std::string said = refusal(quantize({"--calibrate", path("data")}));
  EXPECT_TRUE(has(said, "data/b.npy")) << said;
  EXPECT_TRUE(has(said, "4 channels")) << said;
}

TEST_F(QuantizeCli, AnActivationThatNeverVariesIsAWarning) {
  save("constant.pt", at::zeros({4, 3, 3, 3}));
  const auto result = quantize({"--calibrate", path("data")}, "constant.pt");
  EXPECT_TRUE(has(result.err, "the output of aten::relu was 0.5 throughout the calibration: its scale is a guess"))
      << result.err;
}

TEST_F(QuantizeCli, WarnsOfAFileThatIsHardlyTheSameNetwork) {
  const std::string warning = "hardly the same network";
  EXPECT_EQ(quantize({"--calibrate", path("data")}).err.find(warning), std::string::npos);
  write_npy(folder_ / "data" / "d.npy", at::full({1, 3, 8, 8}, -1e30));
  EXPECT_NE(quantize({"--calibrate", path("data"), "--force", "--observer", "min-max"}).err.find(warning),
            std::string::npos);
}

TEST_F(QuantizeCli, WithoutANameTheOutputIsBesideTheInput) {
  const auto result = test::run_fusekit({"quantize", path("net.pt"), "--calibrate", path("data")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.out, "\nwrote " + path("net_int8.pt") + "\n")) << result.out;
  EXPECT_TRUE(
      has(test::run_fusekit({"quantize", path("net.pt"), "--calibrate", path("data")}).err, "net_int8.pt exists"));
  EXPECT_EQ(test::run_fusekit({"quantize", path("net.pt"), path("net.pt"), "--calibrate", path("data")}).exit_code, 2);
}

TEST_F(QuantizeCli, KeepsAnExistingOutputWithoutForce) {
  test::write_bytes(folder_ / "int8.pt", "mine");
  EXPECT_TRUE(has(refusal(quantize({"--calibrate", path("data")}), 3), "int8.pt exists"));
  EXPECT_EQ(test::bytes_of(folder_ / "int8.pt"), "mine");
  EXPECT_EQ(quantize({"--calibrate", path("data"), "--force"}).exit_code, 0);
  EXPECT_NE(test::bytes_of(folder_ / "int8.pt"), "mine");
}

TEST_F(QuantizeCli, NamesAPictureThatCannotBeRead) {
  fs::create_directory(folder_ / "photos");
  test::write_bytes(folder_ / "photos" / "x.png", "\x89PNG\r\n\x1a\n damaged");
  const std::string said = refusal(quantize({"--calibrate", path("photos")}), 3);
  EXPECT_TRUE(has(said, "x.png")) << said;
}

TEST_F(QuantizeCli, RefusesWhatThereIsNot) {
  const std::vector<std::string> data = {"--calibrate", path("data")};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), data.begin(), data.end());
    return refusal(quantize(more));
  };
  EXPECT_TRUE(has(with({"--skip", "c9"}), "--skip c9: no operator of that module is left"));
  EXPECT_TRUE(has(with({"--observer", "eyes"}), "eyes"));
  EXPECT_TRUE(has(with({"--for", "moon"}), "--for moon: there is no such target"));
  EXPECT_TRUE(has(refusal(quantize(data, "nowhere.pt")), "nowhere.pt"));
}

TEST_F(QuantizeCli, LayersGoBackToFloatToHoldABound) {
  const auto result = quantize({"--calibrate", path("data"), "--min-sqnr", "45"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.out, "times as long a run for it: c")) << result.out;
}

}  // namespace
}  // namespace fusekit
