// `fusekit bench` as a whole program.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "support/module.h"
#include "support/npy.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using nlohmann::json;
using test::has;
using test::run_fusekit;

class Bench : public ::testing::Test {
 protected:
  Bench() {
    save("scale.pt", "def forward(self, x):\n    return x * self.weight\n");
    save("same.pt", "def forward(self, x):\n    return x * self.weight\n");
    save("slow.pt",
         "def forward(self, x):\n    for i in range(100):\n        x = torch.tanh(x * self.weight)\n    return x\n");
    save("none.pt", "def forward(self):\n    return self.weight + 1\n");
  }

  void save(const std::string& name, const std::string& source) const {
    test::save_module(test::make_module("Scale", {{"weight", torch::full({1}, 3.0)}}, source), folder_ / name);
  }
  [[nodiscard]] std::string at(const std::string& name) const { return (folder_ / name).string(); }

  /// A short but complete measurement: three fresh processes.
  [[nodiscard]] test::ProgramResult compare(std::vector<std::string> words) const {
    words.insert(words.begin(), "bench");
    words.insert(words.end(), {"--input_dims", "64,64", "--processes", "3", "--max-time", "1.5", "--threads", "1"});
    return run_fusekit(words);
  }

  test::TemporaryFolder folder_;
};

TEST_F(Bench, OneModelPrintsTheLinesOfSpeedBenchmarkTorch) {
  const auto result = run_fusekit({"bench", "--model=" + at("scale.pt"), "--input_dims=2,3", "--input_type=float"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::regex lines(
      "Starting benchmark\\.\nRunning warmup runs\\.\nMain runs\\.\n"
      "Main run finished\\. Microseconds per iter: ([0-9.e+]+)\\. Iters per second: ([0-9.e+]+)\n");
  std::smatch found;
  ASSERT_TRUE(std::regex_match(result.out, found, lines)) << result.out;
  EXPECT_NEAR(std::stod(found[1]) * std::stod(found[2]), 1e6, 10);
}

TEST_F(Bench, OneModelsStartIsOnStderrAndInItsJson) {
  const auto result = run_fusekit({"bench", at("scale.pt"), "--input_dims", "2,3", "--threads", "1"});
  EXPECT_TRUE(
      std::regex_search(result.err, std::regex("load [0-9.]+ ms, first run [0-9.]+ ms, peak memory [0-9.]+ MiB\n")))
      << result.err;
  const auto inferred = run_fusekit({"bench", at("scale.pt"), "--threads", "1", "--json"});
  ASSERT_EQ(inferred.exit_code, 0) << inferred.err;
  EXPECT_NE(inferred.err.find("not quite the first"), std::string::npos) << inferred.err;
  const json report = json::parse(inferred.out);
  EXPECT_GT(report["checked_load_us"], 0);
  EXPECT_EQ(report["first_inference_us"], report["run_us"][0]);
  EXPECT_GT(report["peak_resident_kib"], 10000);
  EXPECT_GT(report["timer_resolution_ns"], 0);
}

TEST_F(Bench, OneModelAsJsonHasThePercentilesThatItsRunsShow) {
  const auto result = run_fusekit({"bench", at("scale.pt"), "--input_dims", "2,3", "--iter", "29", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["schema"], "fusekit.bench.once/1");
  EXPECT_EQ(report["run_us"].size(), 29U);
  EXPECT_GE(report["percentiles_us"]["p90"], report["percentiles_us"]["p50"]);
  EXPECT_TRUE(report["percentiles_us"]["p99"].is_null());
}

TEST_F(Bench, ReportsEachRunToPep) {
  const auto result =
      run_fusekit({"bench", at("scale.pt"), "--input_dims", "2,3", "--report_pep", "--warmup", "2", "--iter=7"});
  const std::regex line(
      R"re(PyTorchObserver \{"type": "NET", "unit": "us", "metric": "latency", "value": "[0-9.e+]+"\}\n)re");
  const auto begin = std::sregex_iterator(result.out.begin(), result.out.end(), line);
  EXPECT_EQ(std::distance(begin, {}), 7) << result.out;
}

TEST_F(Bench, TakesBooleansBareWithAValueAndAfterABlank) {
  for (const char* flag : {"--no_inputs", "--no_inputs=true"})
    EXPECT_EQ(run_fusekit({"bench", at("none.pt"), flag}).exit_code, 0) << flag;
  EXPECT_EQ(run_fusekit({"bench", at("none.pt"), "--no_inputs", "true"}).exit_code, 0);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--vulkan"}, {"--vulkan=true"}, {"--vulkan", "true"}}) {
    std::vector<std::string> all = {"bench", at("scale.pt"), "--input_dims", "2,3"};
    all.insert(all.end(), words.begin(), words.end());
    const auto result = run_fusekit(all);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.err.find("--vulkan"), std::string::npos);
  }
  EXPECT_EQ(run_fusekit({"bench", at("scale.pt"), "--input_dims", "2,3", "--vulkan=false", "--use_caching_allocator"})
                .exit_code,
            0);
}

TEST_F(Bench, PrintsTheOutputFirst) {
  const auto result = run_fusekit({"bench", at("none.pt"), "--no_inputs", "--print_output"});
  EXPECT_TRUE(result.out.starts_with(" 4\n[ CPUFloatType{1} ]\nStarting benchmark.\n")) << result.out;
}

TEST_F(Bench, RefusesWhatItCantDoInOneLineWithAHint) {
  const std::vector<std::vector<std::string>> calls = {{"--iter", "0"},
                                                       {"--iter=-1"},
                                                       {"--warmup", "-1"},
                                                       {"--engine", "nonesuch"},
                                                       {"--use_bundled_input", "0"},
                                                       {"--input_dims", "2,3 | "},
                                                       {"--dtype", "int8"},
                                                       {"--streams", "0"},
                                                       {"--threads", "1,-2"},
                                                       {"--until-ci", "abc"},
                                                       {"--max-regression", "3%"},
                                                       {"--processes", "0"},
                                                       {"--max-time", "nan"},
                                                       {"--until-ci", "0%"},
                                                       {"--threads", "100000"},
                                                       {"--env", "PASSIVE"},
                                                       {"--against-command", " "},
                                                       {"--against-command", "echo 1", "--quick"},
                                                       {"--baseline-model", "x.pt", "--max-regression", "-3%"},
                                                       {"--save", "/no/such/folder/base.json"},
                                                       {"--html", at(".")},
                                                       {"--samples", "a.txt", "b.txt"},
                                                       {"--csv", "--json"},
                                                       {"--baseline", "/no/such.json"}};
  for (const auto& words : calls) {
    std::vector<std::string> all = {"bench", at("scale.pt"), "--input_dims", "2,3"};
    all.insert(all.end(), words.begin(), words.end());
    const auto result = run_fusekit(all);
    EXPECT_EQ(result.exit_code, 2) << words.front();
    EXPECT_EQ(test::count_of("error: ", result.err), 1U) << words.front() << "\n" << result.err;
    EXPECT_EQ(test::count_of("\nhint: ", result.err), 1U) << words.front() << "\n" << result.err;
    EXPECT_EQ(result.err.find('\n', result.err.find("\nhint: ") + 1), result.err.size() - 1) << result.err;
    EXPECT_EQ(result.out.find("finished"), std::string::npos) << words.front();
  }
  EXPECT_EQ(run_fusekit({"bench"}).exit_code, 2);
}

TEST_F(Bench, FindsTheFasterFile) {
  const auto result = compare({at("slow.pt"), at("scale.pt"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["schema"], "fusekit.bench/2");
  EXPECT_EQ(report["outcomes"].size(), 2U);
  EXPECT_EQ(report["ratios"][0]["verdict"], "faster");
  EXPECT_GT(report["ratios"][0]["ratio"], 2);
  EXPECT_EQ(report["processes"].size(), 3U);
  EXPECT_EQ(report["outcomes"][0]["inputs"], "64x64 float");
  EXPECT_TRUE(std::regex_match(report["ratios"][0]["text"].get<std::string>(),
                               std::regex("scale\\.pt is [0-9.]+x as fast as slow\\.pt \\([0-9.]+ to [0-9.]+\\)")));
}

TEST_F(Bench, ItsWorkersReadTheSameInputs) {
  save("named.pt", "def forward(self, x, y):\n    return x * self.weight + y\n");
  save("sum.pt", "def forward(self, x, y):\n    return y + self.weight * x\n");
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "bench");
    words.insert(words.end(), {"--processes", "3", "--max-time", "1", "--threads", "1"});
    return run_fusekit(words);
  };
  const auto named = run({at("named.pt"), at("sum.pt"), "--inputs", test::data("named.npz").string()});
  EXPECT_EQ(named.exit_code, 0) << named.err;
  test::write_npy(folder_ / "rows.npy", at::randn({6, 3}));
  const auto rows = run({at("scale.pt"), at("same.pt"), "--inputs", at("rows.npy")});
  EXPECT_TRUE(has(rows.err, "inputs: the first of rows.npy (6 samples of 1x3)\n")) << rows.err;
  const std::string picture = FUSEKIT_SOURCE_DIR "/tests/inputs/pictures/color.png";
  const auto crops = run({at("scale.pt"), at("same.pt"), "--inputs", picture, "--crop", "8"});
  EXPECT_TRUE(has(crops.err, "inputs: color.png (1 sample of 1x3x8x8)\n")) << crops.err;
  save("eight.pt", "def forward(self, x):\n    return x.view(3, 8, 8) * self.weight\n");
  EXPECT_EQ(run({at("eight.pt"), at("eight.pt"), "--inputs", picture, "--crop", "8"}).exit_code, 0);
}

TEST_F(Bench, AFileMeansTheSameForAllModels) {
  save("mixing.pt", "def forward(self, x):\n    return x * self.weight + x.sum(0, keepdim=True)\n");
  test::write_npy(folder_ / "rows.npy", at::randn({6, 3}));
  const auto run = run_fusekit({"bench", at("scale.pt"), at("mixing.pt"), "--inputs", at("rows.npy"), "--processes",
                                "3", "--max-time", "1", "--threads", "1"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_FALSE(has(run.err, " is run on ")) << run.err;
}

TEST_F(Bench, ComparesThreeWithTheFirst) {
  const auto result = compare({at("slow.pt"), at("scale.pt"), at("same.pt")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("scale.pt is "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("same.pt is "), std::string::npos) << result.out;
}

TEST_F(Bench, ABaselineShowsARegressionAndAnotherMachineIsRefused) {
  ASSERT_EQ(compare({at("scale.pt"), "--save", at("base.json")}).exit_code, 0);
  json base = json::parse(test::bytes_of(folder_ / "base.json"));
  for (auto& us : base["outcomes"][0]["process_median_us"]) us = us.get<double>() / 50;
  test::write_bytes(folder_ / "fast.json", base.dump());
  const auto regressed = compare({at("scale.pt"), "--baseline", at("fast.json"), "--max-regression", "3%"});
  EXPECT_EQ(regressed.exit_code, 1) << regressed.out << regressed.err;
  EXPECT_NE(regressed.out.find("slower than the baseline"), std::string::npos) << regressed.out;
  base["outcomes"][0]["inputs"] = "elsewhere";
  test::write_bytes(folder_ / "inputs.json", base.dump());
  const auto mismatch = run_fusekit({"bench", at("scale.pt"), "--input_dims", "64,64", "--baseline", at("inputs.json"),
                                     "--threads", "1", "--max-time", "1000"});  // reported before the measurement
  EXPECT_EQ(mismatch.exit_code, 2);
  EXPECT_NE(mismatch.err.find("(now 64x64 float, then elsewhere)"), std::string::npos) << mismatch.err;
  base["environment"]["cpu"] = "6502";
  test::write_bytes(folder_ / "other.json", base.dump());
  EXPECT_EQ(compare({at("scale.pt"), "--baseline", at("other.json")}).exit_code, 2);
  EXPECT_EQ(compare({at("scale.pt"), "--baseline", at("other.json"), "--ignore-mismatch"}).exit_code, 1);
}

TEST_F(Bench, ABaselineModelShowsARegressionOfASlowerFileOnly) {
  EXPECT_EQ(compare({at("slow.pt"), "--baseline-model", at("scale.pt")}).exit_code, 1);
  EXPECT_EQ(compare({at("scale.pt"), "--baseline-model", at("slow.pt")}).exit_code, 0);
}

TEST_F(Bench, MeasuresEveryCombinationOfSettingsAgainstTheFirst) {
  const auto result = run_fusekit({"bench", at("slow.pt"), "--input_dims", "1,64 | 32,64", "--threads", "1,2",
                                   "--processes", "3", "--max-time", "2", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  ASSERT_EQ(report["outcomes"].size(), 4U);
  EXPECT_EQ(report["outcomes"][3]["label"], "slow.pt [32x64, 2 threads]");
  EXPECT_EQ(report["outcomes"][3]["threads"], 2);
  EXPECT_EQ(report["outcomes"][3]["inputs"], "32x64 float");
  EXPECT_EQ(report["outcomes"][3]["samples"], 32);
  EXPECT_LT(report["outcomes"][2]["sample_us"].get<double>() * 2, report["outcomes"][0]["sample_us"].get<double>());
  ASSERT_EQ(report["ratios"].size(), 3U);
  EXPECT_EQ(report["ratios"][1]["against_index"], 0);
  EXPECT_GT(report["ratios"][1]["ratio"], 2);  // of the time a sample
}

TEST_F(Bench, ComparesEnvironments) {
  const auto result =
      run_fusekit({"bench", at("scale.pt"), "--input_dims", "64,64", "--threads", "1", "--env", "", "--env",
                   "OMP_WAIT_POLICY=passive X=1", "--processes", "3", "--max-time", "1.5", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  ASSERT_EQ(report["outcomes"].size(), 2U);
  EXPECT_EQ(report["outcomes"][0]["label"], "scale.pt [as it is]");
  EXPECT_EQ(report["outcomes"][1]["label"], "scale.pt [OMP_WAIT_POLICY=passive X=1]");
  EXPECT_EQ(report["outcomes"][1]["environment"], json({"OMP_WAIT_POLICY=passive", "X=1"}));
}

TEST_F(Bench, ComparesModelsWithinEachSetting) {
  const auto result =
      run_fusekit({"bench", at("slow.pt"), at("scale.pt"), "--input_dims", "64,64", "--dtype", "float,double",
                   "--streams", "2", "--threads", "1", "--processes", "3", "--max-time", "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  int verdicts = 0;  // any: three processes on a busy machine may show no difference
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    if (!has(line, "scale.pt [") || !has(line, "slow.pt [")) continue;
    ++verdicts;
    EXPECT_EQ(has(line, "scale.pt [float]"), has(line, "slow.pt [float]")) << line;
    EXPECT_EQ(has(line, "scale.pt [double]"), has(line, "slow.pt [double]")) << line;
  }
  EXPECT_EQ(verdicts, 2) << result.out;
  EXPECT_NE(result.out.find("samples/s"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("peak MiB"), std::string::npos) << result.out;
}

TEST_F(Bench, ComparesWithAnotherProgramAndProfilesAndWritesAPage) {
  const auto result =
      compare({at("scale.pt"), "--against-command", "for i in 1 2 3 4 5 6 7 8;\ndo echo 99999;\n  done",
               "--against-command", "echo 88888; echo 88888; echo 88888", "--profile", "--html", at("page.html")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("scale.pt is "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("x as fast as for i in 1 2 3 4 5 6 7 8; do echo 999... ("), std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("aten::mul"), std::string::npos) << result.out;
  EXPECT_TRUE(test::bytes_of(folder_ / "page.html").ends_with("</html>\n"));
  const auto failed = compare({at("scale.pt"), "--against-command", "echo 5; exit 1", "--html", at("none.html")});
  EXPECT_EQ(failed.exit_code, 2);
  EXPECT_NE(failed.err.find("'echo 5; exit 1' ended with exit code 1"), std::string::npos) << failed.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none.html"));
}

TEST_F(Bench, OneModelWithAProfileKeepsItsLastLine) {
  const auto result = compare({at("scale.pt"), "--profile"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::size_t last = result.out.rfind('\n', result.out.size() - 2);
  EXPECT_EQ(result.out.substr(last + 1).rfind("Main run finished. Microseconds per iter: ", 0), 0U) << result.out;
  EXPECT_NE(result.out.find("between operators"), std::string::npos) << result.out;
}

TEST_F(Bench, ComparesTimesMeasuredElsewhere) {
  test::write_bytes(folder_ / "a.txt", "100\n101\n99\n100\n102\n98\n100\n101\n");
  test::write_bytes(folder_ / "b.txt", "50\n51\n49\n50\n51\n49\n50\n50\n");
  const auto result = run_fusekit({"bench", "--samples", at("a.txt"), at("b.txt")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("b.txt is 2.0"), std::string::npos) << result.out;
}

TEST_F(Bench, AnInterruptReportsWhatWasMeasured) {
  const auto result =
      test::run_command({"timeout", "--preserve-status", "-s", "INT", "10", FUSEKIT_PROGRAM, "bench", at("slow.pt"),
                         at("scale.pt"), "--input_dims", "64,64", "--threads", "1", "--max-time", "1000"});
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_TRUE(has(result.out, "scale.pt is ")) << result.out;
  EXPECT_TRUE(has(result.err, "warning: interrupted: these are the figures of")) << result.err;
  const auto once = test::run_command({"timeout", "--preserve-status", "-s", "INT", "6", FUSEKIT_PROGRAM, "bench",
                                       at("slow.pt"), "--input_dims", "64,64", "--iter", "100000000"});
  EXPECT_EQ(once.exit_code, 130);
  EXPECT_TRUE(has(once.out, "Main run finished. Microseconds per iter: ")) << once.out;
  EXPECT_TRUE(has(once.err, "interrupted after")) << once.err;
}

TEST_F(Bench, AModuleWithoutForwardIsNamed) {
  test::save_module(test::make_module("Odd", {}, "def other(self, x):\n    return x\n"), folder_ / "odd.pt");
  for (const auto& words : std::vector<std::vector<std::string>>{{}, {"--input_dims", "2,3"}, {"--no_inputs"}}) {
    std::vector<std::string> all{"bench", at("odd.pt")};
    all.insert(all.end(), words.begin(), words.end());
    const auto result = run_fusekit(all);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_TRUE(has(result.err, "has no method \"forward\"\nhint: ")) << result.err;
    EXPECT_FALSE(has(result.err, "frame #")) << result.err;
  }
}

TEST_F(Bench, ANoisyGateIsInconclusive) {
  ASSERT_EQ(compare({at("scale.pt"), "--save", at("base.json")}).exit_code, 0);
  json base = json::parse(test::bytes_of(folder_ / "base.json"));
  auto& medians = base["outcomes"][0]["process_median_us"];
  for (std::size_t k = 0; k < medians.size(); ++k)
    medians[k] = medians[k].get<double>() * (k == 0 ? 0.2 : k == 1 ? 5 : 1);
  test::write_bytes(folder_ / "noisy.json", base.dump());
  const std::vector<std::string> gate{at("scale.pt"), "--baseline", at("noisy.json"), "--max-regression", "3%"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), gate.begin(), gate.end());
    return compare(more);
  };
  const auto text = with({});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_TRUE(has(text.out, "inconclusive: scale.pt against the baseline")) << text.out;
  const auto markdown = with({"--markdown"});
  EXPECT_TRUE(has(markdown.out, "❔ inconclusive: ")) << markdown.out;
  EXPECT_FALSE(has(markdown.out, "✅")) << markdown.out;
  const auto strict = with({"--json", "--require-power"});
  EXPECT_EQ(strict.exit_code, 1) << strict.err;
  EXPECT_EQ(json::parse(strict.out)["gates"][0]["verdict"], "inconclusive");
}

TEST_F(Bench, ARunThatNeverEndsEndsIt) {
  save("loop.pt",
       "def forward(self, x):\n    n = 0\n    while n >= 0:\n        n = 1\n    return x * self.weight * n\n");
  const auto result =
      run_fusekit({"bench", at("loop.pt"), at("scale.pt"), "--input_dims", "2,3", "--run-limit", "0.5"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.err, "loop.pt takes longer than 0.5 s and does not come back")) << result.err;
}

TEST_F(Bench, AModelThatCantBeRunIsNamed) {
  save("picky.pt", "def forward(self, x):\n    return torch.conv2d(x, x)\n");
  const auto result = compare({at("scale.pt"), at("picky.pt")});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("picky.pt"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace fusekit
