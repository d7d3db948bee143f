// What code in a file could do to the machine, if it got out of LibTorch: fusekit_test::escape stands for it.
#include "fusekit/sandbox.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "fusekit/runtime.h"
#include "support/module.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"

namespace fusekit::cli {
namespace {

class SandboxedCommand : public testing::Test {
 protected:
  SandboxedCommand() {
    load_libraries({FUSEKIT_TEST_OPERATORS});
    at::manual_seed(3);
    const auto module = test::make_module("Escape", {{"conv.weight", at::randn({4, 3, 3, 3})}},
                                          "def forward(self, x):\n"
                                          "    return torch.neg(torch.conv2d(x, self.conv.weight))\n");
    test::replace_operators(module, "aten::neg", "fusekit_test::escape");
    test::save_module(module, in_);
  }

  [[nodiscard]] test::ProgramResult run(std::vector<std::string> words) const {
    words.insert(words.end(), {"--library", FUSEKIT_TEST_OPERATORS});
    return test::run_fusekit(words, {"FUSEKIT_TEST_ESCAPE=" + stray_});
  }

  [[nodiscard]] bool has_strayed() const { return std::filesystem::exists(stray_); }

  test::TemporaryFolder folder_;
  test::TemporaryFolder elsewhere_;
  std::string in_ = (folder_ / "in.pt").string();
  std::string out_ = (folder_ / "out.pt").string();
  std::string stray_ = (elsewhere_ / "stray").string();
  const Sandbox possible_ = possible_sandbox();
};

TEST_F(SandboxedCommand, TrustLetsItOut) {
  const auto result = run({"fuse", in_, "-o", out_, "--input_dims", "1,3,9,9", "--trust"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("escaped: file network program"), std::string::npos) << result.err;
  EXPECT_TRUE(has_strayed());
  EXPECT_FALSE(std::filesystem::exists(out_));
}

TEST_F(SandboxedCommand, NoFileIsWrittenThatWasNotAskedFor) {
  if (!possible_.files) GTEST_SKIP() << "this kernel has no Landlock";
  const std::vector<std::vector<std::string>> commands = {
      {"fuse", in_, "-o", out_},
      {"verify", in_, in_},
      {"quantize", in_, "-o", out_, "--force", "--random-calibration", "2"},
      {"tune", in_, "-o", out_, "--force", "--max-time", "0.2"},
      {"bench", in_, "--iter", "1", "--warmup", "0"},
      {"bench", in_, in_, "--quick"}};
  for (std::vector<std::string> words : commands) {
    words.insert(words.end(), {"--input_dims", "1,3,9,9"});
    const auto result = run(words);
    EXPECT_EQ(result.err.find("escaped: file"), std::string::npos) << words.front() << result.err;
    EXPECT_FALSE(has_strayed()) << words.front();
  }
}

// The folder that a link leads to is one of the output's.
TEST_F(SandboxedCommand, AnOutputMayBeALinkToAnotherFolder) {
  const test::TemporaryFolder third;
  std::filesystem::create_symlink(third / "real.pt", out_);
  for (const char* also : {"--quiet", "--force"}) {
    const auto result = run({"fuse", in_, "-o", out_, "--input_dims", "1,3,9,9", also});
    if (possible_.system_calls) {
      EXPECT_EQ(result.exit_code, 0) << result.err;
    }
    EXPECT_EQ(result.err.find("Permission denied"), std::string::npos) << result.err;
  }
}

TEST_F(SandboxedCommand, NoNetworkAndNoProgram) {
  if (!possible_.files || !possible_.system_calls) GTEST_SKIP() << "this kernel or build has no such means";
  auto result = run({"fuse", in_, "-o", out_, "--input_dims", "1,3,9,9"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  result = run({"verify", in_, out_, "--input_dims", "1,3,9,9"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  result = run({"quantize", in_, "-o", out_, "--force", "--random-calibration", "2", "--input_dims", "1,3,9,9"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  // bench starts its workers, which start nothing.
  result = run({"bench", in_, "--iter", "1", "--warmup", "0", "--input_dims", "1,3,9,9"});
  EXPECT_EQ(result.err.find("network"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace fusekit::cli
