// Files with operators of another library.
#include <gtest/gtest.h>

#include "fusekit/error.h"
#include "fusekit/runtime.h"
#include "support/module.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"

namespace fusekit::cli {
namespace {

using test::run_fusekit;

/// conv, bn, and fusekit_test::twice.
void save_network_with_twice(const std::string& path) {
  load_libraries({FUSEKIT_TEST_OPERATORS});
  at::manual_seed(3);
  const auto module = test::make_module(
      "Twice",
      {{"conv.weight", at::randn({4, 3, 3, 3})},
       {"bn.running_mean", at::randn({4})},
       {"bn.running_var", at::rand({4}) + 0.5}},
      "def forward(self, x):\n"
      "    y = torch.conv2d(x, self.conv.weight)\n"
      "    y = torch.batch_norm(y, None, None, self.bn.running_mean, self.bn.running_var, False, 0.1, 1e-5, True)\n"
      "    return torch.neg(y)\n");
  test::replace_operators(module, "aten::neg", "fusekit_test::twice");
  test::save_module(module, path);
}

class Library : public testing::Test {
 protected:
  Library() { save_network_with_twice(in_); }

  [[nodiscard]] test::ProgramResult run(std::vector<std::string> words) const {
    words.insert(words.end(), {"--library", FUSEKIT_TEST_OPERATORS});
    return run_fusekit(words);
  }

  test::TemporaryFolder folder_;
  std::string in_ = (folder_ / "in.pt").string();
  std::string out_ = (folder_ / "out.pt").string();
};

TEST_F(Library, ItsOperatorsAreMissedWithTheOptionToGive) {
  const auto result = run_fusekit({"fuse", in_, "-o", out_, "--input_dims", "1,3,9,9"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("fusekit_test::twice"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("--library FILE"), std::string::npos) << result.err;
}

TEST_F(Library, EveryCommandThatLoadsAFileTakesIt) {
  auto result = run({"fuse", in_, "-o", out_, "--input_dims", "1,3,9,9"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("1 conv+bn"), std::string::npos) << result.out;
  result = run({"verify", in_, out_, "--input_dims", "1,3,9,9"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  result = run({"inspect", out_});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("fusekit_test::twice"), std::string::npos) << result.out;
  result = run({"bench", in_, "--iter", "1", "--input_dims", "1,3,9,9"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  result = run({"bench", in_, out_, "--iter", "1", "--warmup", "0", "--quick", "--input_dims", "1,3,9,9"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  result = run({"quantize", in_, "-o", out_, "--force", "--random-calibration", "2", "--input_dims", "1,3,9,9"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(Library, ThatIsNoneIsNamedWithItsFault) {
  for (const std::string& none : {in_, (folder_ / "none.so").string()}) {
    const auto result = run_fusekit({"fuse", in_, "-o", out_, "--library", none});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.err.find("error: --library " + none + ": "), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace fusekit::cli
