#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/module.h"
#include "support/npy.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

class VerifyCli : public testing::Test {
 protected:
  VerifyCli() {
    make("a.pt", "    return x * 2\n");
    make("same.pt", "    return x + x\n");
    make("other.pt", "    return x * 2.5\n");
    make("int8.pt", "    return torch.dequantize(torch.quantize_per_tensor(x * 2, 0.1, 128, 13))\n");
    make("coarse.pt", "    return torch.dequantize(torch.quantize_per_tensor(x * 2, 4.0, 128, 13))\n");
  }

  void make(const std::string& name, const std::string& body) {
    test::save_module(test::make_module("Net", {}, "def forward(self, x):\n" + body), folder_ / name);
  }

  test::ProgramResult verify(const std::string& b, std::vector<std::string> more = {"--input_dims", "2,3"}) {
    std::vector<std::string> words{"verify", (folder_ / "a.pt").string(), (folder_ / b).string()};
    words.insert(words.end(), more.begin(), more.end());
    return test::run_fusekit(words);
  }

  test::TemporaryFolder folder_;
};

TEST_F(VerifyCli, EqualFilesEndWithZero) {
  const auto result = verify("same.pt");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out,
            "result    equal within the tolerance\n"
            "inputs    2x3 float\n"
            "runs      3 samples x 3 runs\n"
            "max abs   0\n"
            "max rel   0 (tolerance 1e-05)\n"
            "SQNR      infinite (no difference)\n"
            "cosine    1.000000000\n"
            "top-1     100 % agree\n");
}

TEST_F(VerifyCli, EmptyOutputsAreSaidToProveLittle) {
  make("a.pt", "    return x[0:0]\n");
  make("b.pt", "    return x[1:1]\n");
  const auto result = verify("b.pt");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(result.out.starts_with("result    equal within the tolerance; but its outputs are EMPTY here"))
      << result.out;
  EXPECT_EQ(nlohmann::json::parse(verify("b.pt", {"--input_dims", "2,3", "--json"}).out)["compared"], 0);
}

TEST_F(VerifyCli, SaysHowItReadTheInputs) {
  test::write_npy(folder_ / "rows.npy", at::randn({6, 3}));
  const std::string rows = (folder_ / "rows.npy").string();
  EXPECT_TRUE(test::has(verify("same.pt", {"--inputs", rows}).out,
                        "inputs    rows.npy (6 samples of 1x3)\nruns      6 samples x 3 runs\n"));
  EXPECT_TRUE(test::has(verify("same.pt", {"--inputs", rows, "--input_dims", "2,3"}).out,
                        "inputs    rows.npy (3 samples of 2x3)\nruns      3 samples"));
  make("a.pt", "    return x.softmax(0)\n");
  make("same.pt", "    return torch.softmax(x, 0)\n");
  EXPECT_TRUE(test::has(verify("same.pt", {"--inputs", rows}).out, "inputs    rows.npy (1 sample of 6x3)\n"));
}

TEST_F(VerifyCli, TakesPictures) {
  const std::filesystem::path pictures = std::filesystem::path(FUSEKIT_SOURCE_DIR) / "tests/inputs/pictures";
  std::filesystem::create_directory(folder_ / "photos");
  for (const char* name : {"color.png", "color.jpg", "grey.png"})
    std::filesystem::copy_file(pictures / name, folder_ / "photos" / name);
  const std::string photos = (folder_ / "photos").string();
  const auto folder = verify("same.pt", {"--inputs", photos, "--resize", "16", "--crop", "12"});
  EXPECT_TRUE(test::has(folder.out, "inputs    photos (3 samples of 1x3x12x12)\nruns      3 samples x 3 runs\n"))
      << folder.out << folder.err;
  const auto grey =
      verify("same.pt", {"--inputs", photos + "/color.jpg", "--crop", "8", "--mean", "0.5", "--std", "1"});
  EXPECT_TRUE(test::has(grey.out, "inputs    color.jpg (1 sample of 1x1x8x8)\n")) << grey.out << grey.err;
  EXPECT_TRUE(test::has(verify("same.pt", {"--inputs", photos, "--std", "0,1,1"}).err, "--std"));
}

TEST_F(VerifyCli, DifferentFilesEndWithOne) {
  const auto result = verify("other.pt", {"--input-dims", "2,3", "--samples", "1", "--runs", "1"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out.substr(0, result.out.find("max abs")),
            "result    NOT equal: run 1 of sample 1: output is off by 0.25 of its largest value, more than 1e-05\n"
            "inputs    2x3 float\n"
            "runs      1 sample x 1 run\n");
  EXPECT_EQ(verify("other.pt", {"--input_dims", "2,3", "--tolerance", "0.3"}).exit_code, 0);
}

TEST_F(VerifyCli, OutputsOfAnotherShapeHaveNoFigures) {
  make("a.pt", "    return x[0]\n");
  const auto result = verify("same.pt");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out,
            "result    NOT equal: run 1 of sample 1: output is 3 against 2x3\n"
            "inputs    2x3 float\n"
            "runs      3 samples x 3 runs\n");
  const auto facts = nlohmann::json::parse(verify("same.pt", {"--input_dims", "2,3", "--json"}).out);
  EXPECT_EQ(facts.at("differs_in_kind"), true);
  for (const char* figure : {"max_abs", "max_rel", "sqnr_db", "cosine", "top1"})
    EXPECT_TRUE(facts.at(figure).is_null()) << figure;
}

TEST_F(VerifyCli, RoundingThatCountsIsTold) {
  make("a.pt", "    return (x + 4096) - 4096\n");
  make("b.pt", "    return (x + 8192) - 8192\n");
  const auto result = verify("b.pt");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(result.out.starts_with("result    equal within the original's own rounding\n")) << result.out;
  EXPECT_NE(result.out.find("rounding  against a run in double the first is off by"), std::string::npos) << result.out;
  EXPECT_EQ(verify("b.pt", {"--input_dims", "2,3", "--tolerance", "1e-5"}).exit_code, 1);
}

TEST_F(VerifyCli, JsonHasTheSameFacts) {
  const auto equal = nlohmann::json::parse(verify("same.pt", {"--input_dims", "2,3", "--json"}).out);
  EXPECT_EQ(equal.at("passed"), true);
  EXPECT_EQ(equal.at("failure"), "");
  EXPECT_EQ(equal.at("max_rel"), 0);
  EXPECT_TRUE(equal.at("sqnr_db").is_null());
  EXPECT_EQ(equal.at("top1"), 1);
  const auto other = nlohmann::json::parse(verify("other.pt", {"--input_dims", "2,3", "--json"}).out);
  EXPECT_EQ(other.at("passed"), false);
  EXPECT_DOUBLE_EQ(other.at("max_rel"), 0.25);
  EXPECT_DOUBLE_EQ(other.at("tolerance"), 1e-5);
  EXPECT_EQ(other.at("worst_at"), "output");
}

TEST_F(VerifyCli, WhatIsWrongWithTheCallEndsWithTwo) {
  auto result = verify("same.pt", {"--input_dims", "2,y"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err.substr(0, result.err.find('\n')), "error: \"y\" in the shape \"2,y\" is not a size");
  result = verify("same.pt", {"--input_dims", "2,3", "--input_type", "flaot"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err.substr(0, result.err.find('\n')), "error: unknown input type \"flaot\"");
  result = verify("same.pt", {"--input_dims", "2,3", "--tolerance", "-1"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "error: a tolerance of -1 is not a number from 0 on\n");
}

TEST_F(VerifyCli, AnInt8FileIsJudgedByItsSqnr) {
  const auto good = verify("int8.pt");
  EXPECT_EQ(good.exit_code, 0) << good.out << good.err;
  EXPECT_EQ(good.out.find("result    near enough for its SQNR\n"), 0U) << good.out;
  EXPECT_NE(good.out.find(" dB (at least 10)\n"), std::string::npos) << good.out;
  EXPECT_EQ(good.out.find("tolerance"), std::string::npos) << good.out;
  EXPECT_NE(good.err.find("--min-sqnr or --tolerance set the bound"), std::string::npos) << good.err;
  const auto bad = verify("coarse.pt");
  EXPECT_EQ(bad.exit_code, 1) << bad.out;
  EXPECT_EQ(bad.out.find("result    NOT near enough: run 1 of sample 1: the SQNR is "), 0U) << bad.out;
  EXPECT_NE(bad.out.find(" dB, less than 10\n"), std::string::npos) << bad.out;
}

TEST_F(VerifyCli, AnInt8FileIsHeldToWhatIsAskedFor) {
  EXPECT_EQ(verify("int8.pt", {"--input-dims", "2,3", "--min-sqnr", "60"}).exit_code, 1);
  EXPECT_EQ(verify("coarse.pt", {"--input-dims", "2,3", "--min-sqnr=-20"}).exit_code, 0);
  EXPECT_EQ(verify("int8.pt", {"--input-dims", "2,3", "--tolerance", "1e-5"}).exit_code, 1);
  EXPECT_EQ(verify("int8.pt", {"--input-dims", "2,3", "--tolerance", "0.5"}).exit_code, 0);
  EXPECT_EQ(verify("other.pt", {"--input-dims", "2,3", "--min-sqnr", "10"}).exit_code, 0) << "float files too";
  EXPECT_EQ(verify("int8.pt", {"--input-dims", "2,3", "--min-sqnr", "nan"}).exit_code, 2);
  const auto json = nlohmann::json::parse(verify("int8.pt", {"--input-dims", "2,3", "--json"}).out);
  EXPECT_EQ(json["min_sqnr_db"], 10);
  EXPECT_TRUE(json["tolerance"].is_null());
}

TEST_F(VerifyCli, SaysUnderWhichEngineAnInt8FileRan) {
  const auto result = verify("int8.pt");
  EXPECT_NE(result.err.find("engine "), std::string::npos) << result.err;
  EXPECT_EQ(verify("same.pt").err, "") << "float files have no engine";
  const auto slow = verify("int8.pt", {"--input-dims", "2,3", "--engine", "qnnpack", "--threads", "2"});
  EXPECT_NE(slow.err.find("warning: the engine qnnpack gets up to 15 times slower"), std::string::npos) << slow.err;
}

}  // namespace
}  // namespace fusekit
