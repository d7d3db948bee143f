#include "fusekit/verify.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

/// Two one-file networks with an input of 2x3.
class Gate : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name, const std::string& body,
                             const std::map<std::string, at::Tensor>& tensors = {}) {
    const auto module = test::make_module("Net", tensors, "def forward(self, x):\n" + body);
    test::save_module(module, folder_ / name);
    return folder_ / name;
  }

  VerifyReport check(const std::string& a, const std::string& b,
                     const std::map<std::string, at::Tensor>& tensors = {}) {
    return verify(file("a.pt", a, tensors), file("b.pt", b, tensors), options_);
  }

  test::TemporaryFolder folder_;
  VerifyOptions options_ = [] {
    VerifyOptions options;
    options.inputs.dims = {{2, 3}};
    return options;
  }();
};

TEST_F(Gate, PassesForEqualNetworks) {
  const VerifyReport report = check("    return x * 2\n", "    return x + x\n");
  EXPECT_TRUE(report.passed) << report.failure;
  EXPECT_EQ(report.worst.max_abs, 0);
  EXPECT_EQ(report.samples, 3);
  EXPECT_EQ(report.runs, 3);
  EXPECT_EQ(report.tolerance, 1e-5);
  EXPECT_EQ(report.inputs, "2x3 float");
  EXPECT_EQ(report.compared, 3 * 3 * 6);
  EXPECT_EQ(check("    return (x[0:0], [x[0:0]])\n", "    return (x[0:0], [x[0:0]])\n").compared, 0);
}

TEST_F(Gate, FailsBeyondTheTolerance) {
  const VerifyReport report = check("    return x\n", "    return x * 1.001\n");
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.failure, "run 1 of sample 1: output is off by 0.001 of its largest value, more than 1e-05");
  EXPECT_NEAR(report.worst.max_rel, 0.001, 1e-6);
  options_.tolerance = 0.01;
  EXPECT_TRUE(check("    return x\n", "    return x * 1.001\n").passed);
}

// A sum that cancels: (x + 4096) - 4096 has lost all below 2^-12.

TEST_F(Gate, WhatIsBeyondTheToleranceMayBeTheOriginalsOwnRounding) {
  const std::string original = "    return (x + 4096) - 4096\n";
  const VerifyReport report = check(original, "    return (x + 8192) - 8192\n");
  EXPECT_TRUE(report.passed) << report.failure;
  EXPECT_GT(report.worst.max_rel, report.tolerance);
  ASSERT_TRUE(report.rounding);
  EXPECT_GT(report.rounding->original, 1e-5);
  EXPECT_LE(report.rounding->second, 4 * report.rounding->original);
  EXPECT_FALSE(check(original, original).rounding) << "the tolerance did";
}

TEST_F(Gate, WhatRoundsWorseThanTheOriginalFails) {
  const VerifyReport report = check("    return (x + 4096) - 4096\n", "    return ((x + 4096) - 4096) * 1.01\n");
  EXPECT_FALSE(report.passed);
  EXPECT_FALSE(report.differs_in_kind);
  ASSERT_TRUE(report.rounding);
  EXPECT_NEAR(report.rounding->second, 0.01, 1e-3);
  // The original is exact here, and 2e-5 is no rounding.
  EXPECT_FALSE(check("    return x * 2\n", "    return x * 2.00004\n").passed);
}

TEST_F(Gate, AnOriginalThatIsNoiseProvesNothing) {
  EXPECT_FALSE(check("    return (x + 4e6) - 4e6\n", "    return (x + 9e6) - 9e6\n").passed);
}

TEST_F(Gate, AToleranceThatWasGivenIsHeld) {
  options_.tolerance = 1e-5;
  const VerifyReport report = check("    return (x + 4096) - 4096\n", "    return (x + 8192) - 8192\n");
  EXPECT_FALSE(report.passed);
  EXPECT_FALSE(report.rounding);
}

TEST_F(Gate, RoundingOfWeightsConstantsAndStateIsJudgedToo) {
  const std::map<std::string, at::Tensor> shift{{"weight", at::full({3}, 4096.)}};
  EXPECT_TRUE(
      check("    return (x + self.weight) - self.weight\n", "    w = self.weight * 2\n    return (x + w) - w\n", shift)
          .passed);
}

TEST_F(Gate, RoundingOfWhatIsWrittenIsJudgedToo) {
  const std::map<std::string, at::Tensor> buffer{{"buffer", at::zeros({2, 3})}};
  const std::string original = "    self.buffer.copy_((x + 4096) - 4096)\n    return x\n";
  const VerifyReport report = check(original, "    self.buffer.copy_((x + 8192) - 8192)\n    return x\n", buffer);
  EXPECT_TRUE(report.passed) << report.failure;
  ASSERT_TRUE(report.rounding);
  EXPECT_GT(report.rounding->original, 1e-5);
  EXPECT_FALSE(check(original, "    self.buffer.copy_(((x + 4096) - 4096) * 1.01)\n    return x\n", buffer).passed);
  // An input that is written to.
  const std::string in_place = "    x.add_(4096).sub_(4096)\n    return x[0]\n";
  EXPECT_TRUE(check(in_place, "    x.add_(8192).sub_(8192)\n    return x[0]\n").passed);
  EXPECT_FALSE(check(in_place, "    x.add_(4096).sub_(4096).mul_(1.01)\n    return x[0]\n").passed);
  // What is no number of a float tensor does not round.
  const std::map<std::string, at::Tensor> count{{"count", at::zeros({1}, at::kLong)}};
  EXPECT_FALSE(
      check("    self.count.add_(100000)\n    return x\n", "    self.count.add_(100002)\n    return x\n", count)
          .passed);
}

TEST_F(Gate, RoundingIsJudgedInTheModeThatIsCompared) {
  const auto in_training = [this](const std::string& name, const std::string& shift) {
    torch::jit::Module module =
        test::make_module("Net", {},
                          "def forward(self, x):\n    y = x * 1.0 if not self.training else x * 512.0\n"
                          "    return (y + " +
                              shift + ") - " + shift + "\n");
    module.train();
    test::save_module(module, folder_ / name);
    return folder_ / name;
  };
  options_.eval = true;
  const VerifyReport report = verify(in_training("a.pt", "4096"), in_training("b.pt", "8192"), options_);
  EXPECT_TRUE(report.passed) << report.failure;
  ASSERT_TRUE(report.rounding);
}

// The run in double has to see through one name what is written through the other.
TEST_F(Gate, RoundingOfStateWithTwoNamesIsJudged) {
  const at::Tensor both = at::zeros({2, 3});
  const std::map<std::string, at::Tensor> names{{"row", both.select(0, 0)}, {"whole", both}};
  const VerifyReport report = check("    self.row.copy_((x[0] + 4096) - 4096)\n    return self.whole * 1.0\n",
                                    "    self.row.copy_((x[0] + 8192) - 8192)\n    return self.whole * 1.0\n", names);
  EXPECT_TRUE(report.passed) << report.failure;
  ASSERT_TRUE(report.rounding);
  EXPECT_LT(report.rounding->original, 1e-3);
}

// A mean that is zero but for rounding.
TEST_F(Gate, StateThatIsNoiseMayBeOtherNoise) {
  const std::map<std::string, at::Tensor> buffer{{"buffer", at::zeros({})}};
  const std::string original = "    self.buffer.copy_((x - x.mean()).mean())\n    return x\n";
  const VerifyReport report =
      check(original, "    self.buffer.copy_(x.mean() * 1.0000002 - x.mean())\n    return x\n", buffer);
  EXPECT_TRUE(report.passed) << report.failure;
  ASSERT_TRUE(report.rounding);
  EXPECT_GT(report.rounding->original, 0.5) << "nothing but noise";
  EXPECT_FALSE(check(original, "    self.buffer.copy_((x - x.mean()).mean() + 1e-5)\n    return x\n", buffer).passed);
}

TEST_F(Gate, WhatNoFigureMeasuresIsSaid) {
  for (const char* other : {"    return x[0]\n", "    return (x, x)\n", "    return x.double()\n", "    return x / 0\n",
                            "    return torch.mm(x, x)\n"}) {
    const VerifyReport report = check("    return x\n", other);
    EXPECT_FALSE(report.passed);
    EXPECT_TRUE(report.differs_in_kind) << other;
    EXPECT_EQ(report.worst_at, "") << other;
  }
  EXPECT_FALSE(check("    return x\n", "    return x * 2\n").differs_in_kind);
}

TEST_F(Gate, ToleranceFollowsTheCoarsestWeight) {
  const std::map<std::string, at::Tensor> half{{"weight", at::ones({1}, at::kHalf)}};
  EXPECT_EQ(check("    return x\n", "    return x\n", half).tolerance, 2e-2);
  const std::map<std::string, at::Tensor> brain{{"weight", at::ones({1}, at::kHalf)},
                                                {"running_mean", at::ones({1}, at::kBFloat16)}};
  EXPECT_EQ(check("    return x\n", "    return x\n", brain).tolerance, 1e-1);
  const std::map<std::string, at::Tensor> mixed{{"a", at::ones({1}, at::kHalf)}, {"b", at::ones({1})}};
  EXPECT_EQ(check("    return x\n", "    return x\n", mixed).tolerance, 2e-2);
}

TEST_F(Gate, ToleranceFollowsTheConstantsOfAFrozenNetwork) {
  const auto module = test::make_module("Net", {{"weight", at::ones({1}, at::kHalf)}},
                                        "def forward(self, x):\n    return x + self.weight\n");
  test::save_module(torch::jit::freeze(module), folder_ / "frozen.pt");
  EXPECT_EQ(verify(folder_ / "frozen.pt", folder_ / "frozen.pt", options_).tolerance, 2e-2);
}

TEST_F(Gate, DropoutAgreesBecauseTheSeedsAre) {
  const std::string body = "    return torch.dropout(x, 0.5, True)\n";
  EXPECT_TRUE(check(body, body).passed);
  EXPECT_FALSE(check(body, "    x = x + 0 * torch.rand([1])\n" + body).passed);
}

TEST_F(Gate, AStateHasToAgreeAtEveryStep) {
  const std::map<std::string, at::Tensor> count{{"buffer", at::zeros({1})}};
  const std::string counts = "    self.buffer += 1\n    return x + self.buffer\n";
  EXPECT_TRUE(check(counts, counts, count).passed);
  const VerifyReport report = check(counts, "    return x + 1\n", count);
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.failure, "run 1 of sample 1: buffer is off by 1 of its largest value, more than 1e-05");
  EXPECT_FALSE(check("    return x + 1\n", counts, count).passed);
}

TEST_F(Gate, RunningStatisticsHaveToAgreeToo) {
  const std::map<std::string, at::Tensor> statistics{{"running_mean", at::zeros({3})}, {"running_var", at::ones({3})}};
  const auto normalizes = [](const char* momentum) {
    return fmt::format(
        "    return torch.batch_norm(x, None, None, self.running_mean, self.running_var, True, {}, 1e-5, True)\n",
        momentum);
  };
  EXPECT_TRUE(check(normalizes("0.1"), normalizes("0.1"), statistics).passed);
  const VerifyReport report = check(normalizes("0.1"), normalizes("0.2"), statistics);
  EXPECT_FALSE(report.passed) << "nothing but the statistics differs, and LibTorch does not count writes of them";
  EXPECT_NE(report.failure.find("running_"), std::string::npos) << report.failure;
}

TEST_F(Gate, EvalIsForBoth) {
  const std::string trains = "    return torch.dropout(x, 0.5, self.training)\n";
  torch::jit::Module module = test::make_module("Net", {}, "def forward(self, x):\n" + trains);
  module.setattr("training", true);
  test::save_module(module, folder_ / "train.pt");
  EXPECT_FALSE(verify(folder_ / "train.pt", file("b.pt", "    return x\n"), options_).passed);
  options_.eval = true;
  EXPECT_TRUE(verify(folder_ / "train.pt", file("b.pt", "    return x\n"), options_).passed);
}

TEST_F(Gate, WritesIntoTheInputHaveToAgree) {
  EXPECT_TRUE(check("    x.add_(1)\n    return x * 2\n", "    x.add_(1)\n    return x + x\n").passed);
  const VerifyReport report = check("    x.add_(1)\n    return x * 2\n", "    return (x + 1) * 2\n");
  EXPECT_FALSE(report.passed);
  EXPECT_NE(report.failure.find("input[0] is off by"), std::string::npos) << report.failure;
}

TEST_F(Gate, WhatIsPrintedHasToAgree) {
  testing::internal::CaptureStdout();
  EXPECT_TRUE(check("    print(\"a\")\n    return x\n", "    print(\"a\")\n    return x\n").passed);
  EXPECT_EQ(check("    print(\"a\")\n    return x\n", "    return x\n").failure,
            "run 1 of sample 1: the networks print different text");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST_F(Gate, OneThatOnlyFailsInTheSecondIsAFailedReport) {
  const VerifyReport report = check("    return x\n", "    return torch.mm(x, x)\n");
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.failure, "run 1 of sample 1: " + (folder_ / "b.pt").string() +
                                " fails: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
}

TEST_F(Gate, OneThatFailsInTheFirstIsAnErrorOfTheInput) {
  try {
    check("    return torch.mm(x, x)\n", "    return x\n");
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_EQ(error.message(),
              (folder_ / "a.pt").string() +
                  " can't be run on 2x3 float: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
    EXPECT_EQ(error.hint(), "give the InputOptions::dims and InputOptions::types that the network takes");
  }
}

TEST_F(Gate, ADeviceThatIsNotHereIsNamed) {
  if (at::globalContext().hasCUDA()) GTEST_SKIP();
  for (const char* body : {"    return x + torch.zeros([3], device=torch.device(\"cuda:0\"))\n",
                           "    return x.to(torch.device(\"cuda:0\"))\n"}) {
    const std::string part = std::string(body).find("zeros") != std::string::npos ? "aten::zeros" : "aten::to";
    EXPECT_TRUE(
        test::refuses(ErrorKind::model, part + " works on cuda:0, which is not here", [&] { check(body, body); }));
    options_.inputs.dims.clear();
    EXPECT_TRUE(
        test::refuses(ErrorKind::model, part + " works on cuda:0, which is not here", [&] { check(body, body); }));
    options_.inputs.dims = {{2, 3}};
  }
}

TEST_F(Gate, NonsenseIsRefused) {
  const auto checked = [this] { check("    return x\n", "    return x\n"); };
  options_.tolerance = -1;
  EXPECT_TRUE(test::refuses(ErrorKind::usage, "tolerance of -1", checked));
  options_.tolerance = {};
  options_.runs = 0;
  EXPECT_TRUE(test::refuses(ErrorKind::usage, "with 0 runs", checked));
  options_.runs = 1;
  options_.method = "backward";
  EXPECT_TRUE(test::refuses(ErrorKind::input, "no method \"backward\"", checked));
}

TEST_F(Gate, LeavesTheCallersGeneratorAlone) {
  torch::manual_seed(5);
  const at::Tensor next = at::randn({3});
  torch::manual_seed(5);
  check("    return torch.rand([2])\n", "    return torch.rand([2])\n");
  EXPECT_TRUE(at::equal(at::randn({3}), next));
}

}  // namespace
}  // namespace fusekit
