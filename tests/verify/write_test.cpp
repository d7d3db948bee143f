#include "fusekit/write.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/inputs.h"
#include "ir/model_parts.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

/// A network with a weight, read from a file.
class VerifiedWrite : public testing::Test {
 protected:
  Model model(const std::string& source) {
    at::manual_seed(3);
    const std::map<std::string, at::Tensor> tensors{
        {"c.weight", at::randn({4, 3, 3, 3})}, {"count", at::zeros({1})},
        {"bn.weight", at::rand({4}) + 0.5},    {"bn.bias", at::randn({4})},
        {"bn.running_mean", at::randn({4})},   {"bn.running_var", at::rand({4}) + 0.5}};
    test::save_module(test::make_module("Net", tensors, source), folder_ / "in.pt");
    return read(folder_ / "in.pt");
  }

  /// As if a rule had computed a wrong weight.
  static void plant_fault(Model& model) {
    ir::Weight& weight = ModelParts::of(model).program.weights.at("c.weight");
    weight.tensor = weight.tensor * 1.01;
    weight.is_new = true;
  }

  test::TemporaryFolder folder_;
};

const char* const kConvBn =
    "def forward(self, x):\n"
    "    y = torch.conv2d(x, self.c.weight)\n"
    "    return torch.batch_norm(y, self.bn.weight, self.bn.bias, self.bn.running_mean, self.bn.running_var, False, "
    "0.1, 1e-5, True)\n";

const char* const kWrittenConv =
    "def forward(self, x):\n    return torch.conv2d(x, self.c.weight)\n"
    "def twice(self, x):\n    return torch.conv2d(x, self.c.weight) * 2\n"
    "def labelled(self, x: Tensor, label: str):\n    return torch.conv2d(x, self.c.weight)\n";

TEST_F(VerifiedWrite, ReadsItsInputOnce) {
  Model model = this->model(kConvBn);
  std::filesystem::remove(folder_ / "in.pt");
  EXPECT_EQ(resolve_inputs(model, {}).text, "1x3x224x224 float, inferred");
  EXPECT_EQ(fuse(model).fused(), 1U);
  const WriteReport report = write(std::move(model), folder_ / "out.pt");
  EXPECT_TRUE(report.written);
  EXPECT_EQ(report.failure(), nullptr);
  ASSERT_EQ(report.methods.size(), 1U);
  EXPECT_EQ(report.methods[0].report->inputs, "1x3x224x224 float, inferred");
  EXPECT_EQ(report.methods[0].report->compared, 3 * 3 * 4 * 222 * 222);
  EXPECT_EQ(verify(read(folder_ / "out.pt"), folder_ / "out.pt").passed, true);
}

TEST_F(VerifiedWrite, WritesNothingThatComputesSomethingElse) {
  Model model = this->model(kWrittenConv);
  plant_fault(model);
  WriteOptions options;
  options.verify.inputs.dims = {{1, 3, 5, 5}};
  const WriteReport report = write(std::move(model), folder_ / "out.pt", options);
  EXPECT_FALSE(report.written);
  ASSERT_NE(report.failure(), nullptr);
  EXPECT_NEAR(report.failure()->worst.max_rel, 0.01, 1e-3);
  EXPECT_EQ(report.methods.size(), 1U) << "the first is enough";
  EXPECT_EQ(folder_.entries(), 1U);
}

TEST_F(VerifiedWrite, WritesNothingThatHoldsAnotherState) {
  const std::string counts =
      "def forward(self, x):\n    self.count.copy_(torch.zeros([1]))\n    return torch.conv2d(x, self.c.weight)\n";
  for (const bool counted : {true, false}) {  // does LibTorch know that something wrote?
    Model model = this->model(counts);
    const at::Tensor count = ModelParts::of(model).program.original.attr("count").toTensor();
    if (counted) {
      count.fill_(5);
    } else {
      *count.data_ptr<float>() = 5;
    }
    const WriteReport report = write(std::move(model), folder_ / "out.pt");
    EXPECT_FALSE(report.written);
    ASSERT_NE(report.failure(), nullptr);
    EXPECT_EQ(report.failure()->failure, "count differs by 5");
  }
}

TEST_F(VerifiedWrite, RunsOfItsModuleLeaveNoTraces) {
  const torch::NoGradGuard no_grad;
  Model model = this->model("def forward(self, x):\n    self.count += 1\n    return x + self.count\n");
  model.to_module().forward({at::zeros({1})});
  EXPECT_EQ(model.to_module().attr("count").toTensor().item<double>(), 0);
}

TEST_F(VerifiedWrite, OtherMethodsHaveToComputeTheSame) {
  Model model = this->model(
      "def forward(self, x):\n    return x + self.count\n"
      "def features(self, x):\n    return torch.conv2d(x, self.c.weight)\n");
  plant_fault(model);
  WriteOptions options;
  options.verify.inputs.dims = {{1}};
  const WriteReport report = write(std::move(model), folder_ / "out.pt", options);
  EXPECT_FALSE(report.written);
  ASSERT_NE(report.failure(), nullptr);
  EXPECT_EQ(report.methods.back().method, "features");
}

TEST_F(VerifiedWrite, HasToBeRefusedByName) {
  Model model = this->model(kWrittenConv);
  plant_fault(model);
  write_unverified(std::move(model), folder_ / "out.pt");
  EXPECT_FALSE(verify(folder_ / "in.pt", folder_ / "out.pt").passed);
}

TEST_F(VerifiedWrite, ComparesEveryMethodAndSaysWhichItCannot) {
  WriteOptions options;
  options.verify.inputs.dims = {{1, 3, 5, 5}};
  const WriteReport report = write(model(kWrittenConv), folder_ / "out.pt", options);
  EXPECT_TRUE(report.written);
  ASSERT_EQ(report.methods.size(), 3U);
  for (const MethodCheck& check : report.methods) {
    EXPECT_EQ(check.report.has_value(), check.method != "labelled") << check.method;
    EXPECT_EQ(check.unverified.empty(), check.method != "labelled") << check.method;
  }
  EXPECT_EQ(report.methods[0].report->inputs, "1x3x5x5 float");
}

/// Whose own shapes nothing in their graphs tells.
TEST_F(VerifiedWrite, OtherMethodsRunOnWhatForwardPassesToThem) {
  (void)this->model(
      "def head(self, x, twice: bool):\n    y = x.mean([2, 3])\n    return y * 2 if twice else y\n"
      "def stem(self, x):\n    return torch.conv2d(x, self.c.weight)\n"
      "def inner(self, x):\n    return self.head(self.stem(x[:, :, ::2]), True)\n"
      "def forward(self, x):\n    return self.inner(x)\n");
  WriteOptions options;
  options.verify.inputs.dims = {{2, 3, 9, 6}};
  const WriteReport report = write(read(folder_ / "in.pt"), folder_ / "out.pt", options);
  EXPECT_TRUE(report.written);
  std::map<std::string, std::string> inputs;
  for (const MethodCheck& check : report.methods) {
    ASSERT_TRUE(check.report) << check.method << ": " << check.unverified;
    EXPECT_EQ(check.report->samples, 3);
    inputs[check.method] = check.report->inputs;
  }
  EXPECT_EQ(inputs["forward"], "2x3x9x6 float");
  EXPECT_EQ(inputs["inner"], "2x3x9x6 float, as forward passes it");
  EXPECT_EQ(inputs["stem"], "2x3x5x6 float, as forward passes it");
  EXPECT_EQ(inputs["head"], "2x4x3x4 float; =True, as forward passes it");
}

TEST_F(VerifiedWrite, AMobileFileWouldLoseItsBytecode) {
  const auto module = test::make_module("Net", {{"c.weight", at::ones({4, 3, 3, 3})}},
                                        "def forward(self, x):\n    return torch.conv2d(x, self.c.weight)\n");
  module._save_for_mobile((folder_ / "in.ptl").string());
  EXPECT_TRUE(test::refuses(ErrorKind::unsupported, "in.ptl holds bytecode for the mobile interpreter",
                            [&] { check_output(folder_ / "out.pt", folder_ / "in.ptl"); }));
  EXPECT_TRUE(test::refuses(ErrorKind::unsupported, "bytecode",
                            [&] { (void)write(read(folder_ / "in.ptl"), folder_ / "out.pt"); }));
  EXPECT_TRUE(test::refuses(ErrorKind::unsupported, "bytecode",
                            [&] { write_unverified(read(folder_ / "in.ptl"), folder_ / "out.pt"); }));
  EXPECT_EQ(folder_.entries(), 1U);
}

TEST_F(VerifiedWrite, RunsThatWorkOutInputsLeaveNoTraces) {
  Model model = this->model(
      "def forward(self, x):\n    self.count += 1\n    return torch.conv2d(x, self.c.weight) * self.count\n");
  resolve_inputs(model, {});
  EXPECT_TRUE(write(std::move(model), folder_ / "out.pt").written);
  EXPECT_EQ(torch::jit::load((folder_ / "out.pt").string()).attr("count").toTensor().item<double>(), 0);
}

TEST_F(VerifiedWrite, TheOutputIsTheInputOnlyInPlace) {
  WriteOptions options;
  options.force = true;
  EXPECT_THROW((void)write(model(kConvBn), folder_ / "in.pt", options), Error);
  options.in_place = true;
  Model model = this->model(kConvBn);
  fuse(model);
  EXPECT_TRUE(write(std::move(model), folder_ / "in.pt", options).written);
  EXPECT_EQ(folder_.entries(), 1U);
  try {
    check_output(folder_ / "in.pt", {});
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(), "give WriteOptions::force to replace it");
  }
}

}  // namespace
}  // namespace fusekit
