#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/run_program.h"

namespace fusekit {
namespace {

TEST(DoctorCommand, GivesEachSubjectAVerdict) {
  const auto result = test::run_fusekit({"doctor", "--seconds", "0.01"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  std::istringstream lines(result.out);
  std::vector<std::string> subjects;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(" ")) continue;  // what to do
    const std::string verdict = line.substr(0, line.find(' '));
    EXPECT_TRUE(verdict == "ok" || verdict == "warn" || verdict == "bad") << line;
    subjects.push_back(line.substr(6, line.find("  ", 6) - 6));
  }
  EXPECT_EQ(subjects,
            (std::vector<std::string>{"LibTorch", "BLAS", "oneDNN", "Quantized engines", "XNNPACK", "Thread pools",
                                      "Processor", "Threads", "Clock", "Load", "Noise", "Sandbox"}));
}

TEST(DoctorCommand, GivesTheFactsAsJson) {
  const auto result = test::run_fusekit({"doctor", "--seconds", "0.01", "--json"}, {"OMP_NUM_THREADS=1"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["findings"].size(), 12U);
  EXPECT_EQ(json["libtorch"]["threads"], 1);
  EXPECT_GE(json["cpu"]["logical"], 1);
  EXPECT_GE(json["noise"]["runs"], 2);
}

TEST(DoctorCommand, RefusesANegativeTime) {
  const auto result = test::run_fusekit({"doctor", "--seconds", "-1"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("--seconds"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace fusekit
