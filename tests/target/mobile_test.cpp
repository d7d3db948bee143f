// The target mobile: files for the apps that load TorchScript on phones.
#include <ATen/Context.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/mobile/import.h>
#include <torch/csrc/jit/mobile/module.h>

#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/inspect.h"
#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"
#include "support/text.h"
#include "verify/second_file.h"

namespace fusekit {
namespace {

using test::count_of;
using test::has;

bool has_xnnpack() { return at::globalContext().isXNNPACKAvailable(); }

const char* const kFoldable =
    "    y = torch.conv2d(x, self.c.weight, None, [1, 1], [1, 1])\n"
    "    y = torch.batch_norm(y, self.bn.weight, self.bn.bias, self.bn.running_mean, self.bn.running_var, False, 0.1, "
    "1e-5, True)\n";

class MobileTarget : public testing::Test {
 protected:
  MobileTarget() { at::manual_seed(5); }

  Model network(const std::string& methods) {
    const std::map<std::string, at::Tensor> tensors{
        {"c.weight", at::randn({4, 4, 3, 3})}, {"bn.weight", at::rand({4}) + 0.5},      {"bn.bias", at::randn({4})},
        {"bn.running_mean", at::randn({4})},   {"bn.running_var", at::rand({4}) + 0.5}, {"count", at::zeros({1})}};
    test::save_module(test::make_module("Net", tensors, methods), folder_ / "in.pt");
    return read(folder_ / "in.pt");
  }

  WriteReport write_mobile(Model model, WriteOptions options = {}) {
    options.target = "mobile";
    options.verify.inputs.dims = {{2, 4, 9, 9}};
    fuse(model);
    return write(std::move(model), out(), options);
  }

  [[nodiscard]] std::filesystem::path out() const { return folder_ / "out.ptl"; }

  /// The largest difference between the original and the written file in the mobile interpreter.
  [[nodiscard]] double error_on_phone() const {
    const torch::NoGradGuard no_grad;
    torch::jit::Module original = torch::jit::load((folder_ / "in.pt").string());
    torch::jit::mobile::Module written = torch::jit::_load_for_mobile(out().string());
    double worst = 0;
    for (const std::int64_t size : {9, 12}) {
      const at::Tensor x = at::randn({3, 4, size, size});
      for (int run = 0; run < 3; ++run) {
        const at::Tensor a = original.forward({x}).toTensor();
        worst = std::max(worst, ((written.forward({x}).toTensor() - a).abs().max() / a.abs().max()).item<double>());
      }
    }
    return worst;
  }

  test::TemporaryFolder folder_;
};

TEST_F(MobileTarget, ALiteFileRunsInBothInterpretersAndSaysSo) {
  const WriteReport report = write_mobile(
      network(std::string("def forward(self, x):\n") + kFoldable + "    return torch.relu(y)\n"), {.lite = true});
  ASSERT_TRUE(report.written);
  EXPECT_FALSE(report.methods.at(0).mobile);
  EXPECT_TRUE(report.methods.at(1).mobile);
  EXPECT_TRUE(report.methods.back().doubled);
  EXPECT_TRUE(inspect(out()).has_mobile_bytecode);
  EXPECT_LT(error_on_phone(), 1e-5);
  EXPECT_EQ(report.notes.empty(), !has_xnnpack());
  EXPECT_EQ(report.warnings.empty(), has_xnnpack()) << "what this LibTorch lacks is told";
}

TEST_F(MobileTarget, WithoutLiteThereIsNoBytecode) {
  ASSERT_TRUE(write_mobile(network(std::string("def forward(self, x):\n") + kFoldable + "    return y\n")).written);
  EXPECT_FALSE(inspect(out()).has_mobile_bytecode);
}

/// LibTorch's own folding gets these two wrong.
TEST_F(MobileTarget, AConvolutionCalledTwiceAndOneWithoutABiasAreRight) {
  const std::string forward = std::string("def forward(self, x):\n") + kFoldable +
                              "    return y + torch.conv2d(y, self.c.weight, None, [1, 1], [1, 1])\n";
  const WriteReport report = write_mobile(network(forward), {.lite = true});
  ASSERT_TRUE(report.written);
  EXPECT_LT(error_on_phone(), 1e-5);
  if (has_xnnpack()) {
    EXPECT_EQ(report.notes.at(0), "packed for XNNPACK: 2 of 2 float convolutions and linears (100 %)");
  }
}

TEST_F(MobileTarget, NamedTuplesHaveTheirNamesInBytecode) {
  const auto original = std::filesystem::path(FUSEKIT_SOURCE_DIR) / "tests/cases/named_tuple_output.script.pt";
  WriteOptions options{.target = "mobile", .lite = true};
  Model model = read(original);
  fuse(model);
  const WriteReport report = write(std::move(model), out(), options);
  ASSERT_TRUE(report.written);
  EXPECT_TRUE(report.methods.at(1).mobile);
}

TEST_F(MobileTarget, WhatWritesStateIsNotFrozen) {
  const std::string forward =
      "def forward(self, x):\n    self.count += 1\n    return torch.conv2d(x, self.c.weight) + self.count\n";
  const WriteReport report = write_mobile(network(forward), {.lite = true});
  ASSERT_TRUE(report.written);
  EXPECT_LT(error_on_phone(), 1e-5);
  EXPECT_EQ(torch::jit::load(out().string()).attr("count").toTensor().item<double>(), 0);
  if (has_xnnpack()) {
    EXPECT_TRUE(has(report.warnings.at(0), "its methods write state (count)")) << report.warnings.at(0);
  }
}

TEST_F(MobileTarget, OtherMethodsAreKept) {
  const std::string methods = std::string("def forward(self, x):\n") + kFoldable +
                              "    return y\ndef features(self, x):\n    return torch.conv2d(x, self.c.weight) * 2\n";
  ASSERT_TRUE(write_mobile(network(methods), {.lite = true}).written);
  EXPECT_TRUE(torch::jit::_load_for_mobile(out().string()).find_method("features").has_value());
}

/// The gate sees what only the mobile interpreter would compute.
TEST_F(MobileTarget, TheGateRunsTheBytecode) {
  const Model model = network("def forward(self, x):\n    return torch.conv2d(x, self.c.weight)\n");
  torch::jit::Module other = torch::jit::load((folder_ / "in.pt").string());
  {
    const torch::NoGradGuard no_grad;
    other.attr("c").toModule().attr("weight").toTensor().mul_(1.01);
  }
  other._save_for_mobile(out().string());
  VerifyOptions options;
  options.inputs.dims = {{2, 4, 9, 9}};
  const file::Original original(folder_ / "in.pt");
  const gate::TestData data = gate::test_data(original, options);
  for (const bool mobile : {false, true}) {
    const VerifyReport report = gate::verify_file(
        original, {out(), "out.ptl", torch::jit::load((folder_ / "in.pt").string()), mobile}, options, data);
    EXPECT_EQ(report.passed, !mobile) << "the module is the original's, the file's bytecode is not";
  }
}

TEST_F(MobileTarget, AMobileFileIsWrittenAnewWithItsBytecode) {
  (void)network(std::string("def forward(self, x):\n") + kFoldable + "    return torch.relu(y)\n");
  torch::jit::load((folder_ / "in.pt").string())._save_for_mobile((folder_ / "old.ptl").string());
  EXPECT_TRUE(test::refuses(ErrorKind::unsupported, "holds bytecode",
                            [&] { check_output(out(), folder_ / "old.ptl", {.target = "mobile"}); }));
  ASSERT_TRUE(write_mobile(read(folder_ / "old.ptl"), {.lite = true}).written);
  EXPECT_TRUE(inspect(out()).has_mobile_bytecode);
  EXPECT_FALSE(has(torch::jit::load(out().string()).get_method("forward").graph()->toString(false), "batch_norm"));
  EXPECT_LT(error_on_phone(), 1e-5);
}

TEST_F(MobileTarget, BundlesTheInputThatItWasComparedOn) {
  const std::string forward = "def forward(self, x):\n    return torch.conv2d(x, self.c.weight)\n";
  ASSERT_TRUE(write_mobile(network(forward), {.lite = true, .bundle = true}).written);
  torch::jit::Module written = torch::jit::load(out().string());
  EXPECT_EQ(written.get_method("get_num_bundled_inputs")({}).toInt(), 1);
  const auto inputs = written.get_method("get_all_bundled_inputs")({}).toList();
  const c10::IValue& first = inputs.get(0);
  EXPECT_EQ(first.toTupleRef().elements()[0].toTensor().sizes(), (std::vector<std::int64_t>{2, 4, 9, 9}));
  torch::jit::mobile::Module phone = torch::jit::_load_for_mobile(out().string());
  EXPECT_EQ(phone.get_method("get_num_bundled_inputs")({}).toInt(), 1);
  const auto bench = test::run_fusekit({"bench", "--model", out().string(), "--use_bundled_input", "0", "--iter", "2"});
  EXPECT_EQ(bench.exit_code, 0) << bench.err;
}

TEST_F(MobileTarget, WithoutArgumentsThereIsNothingToBundleAndNoOtherBatch) {
  (void)network("def forward(self):\n    return torch.conv2d(torch.ones([1, 4, 5, 5]), self.c.weight)\n");
  WriteOptions options{.target = "mobile", .bundle = true};
  EXPECT_TRUE(test::refuses(ErrorKind::usage, "there is nothing to bundle",
                            [&] { (void)write(read(folder_ / "in.pt"), out(), options); }));
  options.bundle = false;
  const WriteReport report = write(read(folder_ / "in.pt"), out(), options);
  EXPECT_TRUE(report.written);
  EXPECT_FALSE(report.methods.back().doubled);
}

TEST_F(MobileTarget, AnInt8FileRunsInTheMobileInterpreter) {
  Model model = network(std::string("def forward(self, x):\n") + kFoldable + "    return torch.relu(y)\n");
  QuantizeOptions quantize;
  quantize.calibration.random = 4;
  quantize.calibration.inputs.dims = {{2, 4, 9, 9}};
  quantize.qconfig = Qconfig::qnnpack;
  ASSERT_TRUE(to_int8(model, quantize).bound_holds);
  WriteOptions options;
  options.target = "mobile";
  options.lite = true;
  const WriteReport report = write(std::move(model), out(), options);
  ASSERT_TRUE(report.written) << (report.failure() != nullptr ? report.failure()->failure : "");
  EXPECT_TRUE(report.methods.back().mobile);
  EXPECT_TRUE(report.warnings.empty()) << "int8 has no use for XNNPACK";
  EXPECT_LT(error_on_phone(), 0.1);
}

TEST_F(MobileTarget, RootOperatorsAreWhatABuildMustInclude) {
  (void)network("def forward(self, x):\n    return torch.conv2d(x, self.c.weight) + 1\n");
  const std::vector<std::string> operators = root_operators(folder_ / "in.pt");
  EXPECT_EQ(operators, (std::vector<std::string>{"aten::add.Scalar", "aten::conv2d"}));
  const auto listed = test::run_fusekit({"inspect", (folder_ / "in.pt").string(), "--list-ops"});
  EXPECT_EQ(listed.out, "- aten::add.Scalar\n- aten::conv2d\n");
}

TEST_F(MobileTarget, OtherTargetsHaveNoLiteFiles) {
  EXPECT_TRUE(test::refuses(ErrorKind::usage, "the target portable has no files for the mobile interpreter", [&] {
    (void)write(network("def forward(self, x):\n    return x + 1\n"), out(), {.lite = true});
  }));
  const auto result = test::run_fusekit({"fuse", (folder_ / "in.pt").string(), "-o", out().string(), "--lite"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.err, "--lite needs --for mobile")) << result.err;
  EXPECT_FALSE(std::filesystem::exists(out()));
}

TEST_F(MobileTarget, TheCommandTellsWhatItDid) {
  (void)network(std::string("def forward(self, x):\n") + kFoldable + "    return torch.relu(y)\n");
  const auto result = test::run_fusekit(
      {"fuse", (folder_ / "in.pt").string(), "--for", "mobile", "--lite", "--list-ops", "--input_dims", "1,4,9,9"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.out, "in the mobile interpreter: verified on 1x4x9x9 float")) << result.out;
  EXPECT_TRUE(has(result.out, "wrote " + (folder_ / "in_fused.ptl").string())) << result.out;
  EXPECT_EQ(has(result.out, "\n- aten::_convolution\n"), !has_xnnpack()) << result.out;
  EXPECT_EQ(has(result.out, "\n- prepacked::conv2d_clamp_run\n"), has_xnnpack()) << result.out;
}

}  // namespace
}  // namespace fusekit
