// Files that were saved in training mode: found, told, kept in their mode, or put into eval().
#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/fuse.h"
#include "fusekit/inspect.h"
#include "fusekit/quantize.h"
#include "fusekit/verify.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using Names = std::vector<std::string>;

const char* const kAsks =
    "def forward(self, x):\n"
    "    y = torch.conv2d(x, self.conv.weight)\n"
    "    if self.bn.training:\n"
    "        self.bn.num_batches_tracked.add_(1)\n"
    "    y = torch.batch_norm(y, self.bn.weight, self.bn.bias, self.bn.running_mean, self.bn.running_var, "
    "self.bn.training, 0.1, 1e-5, True)\n"
    "    return torch.dropout(y, 0.5, self.drop.training)\n";

/// As torch.jit.trace makes it: the mode is a constant of the submodule's code.
torch::jit::Module traced(bool in_training) {
  const auto layer = [&](const char* name, const std::map<std::string, at::Tensor>& tensors, const char* source) {
    torch::jit::Module module = test::make_module(name, tensors, source);
    module.setattr("training", in_training);
    return module;
  };
  torch::jit::Module root = test::make_module("Traced", {}, "");
  root.setattr("training", in_training);
  root.register_module("bn", layer("Bn", {{"running_mean", at::randn({3})}, {"running_var", at::rand({3}) + 0.5}},
                                   "def forward(self, x):\n    return torch.batch_norm(x, None, None, "
                                   "self.running_mean, self.running_var, True, 0.1, 1e-5, True)\n"));
  root.register_module("instance", layer("Instance", {},
                                         "def forward(self, x):\n    return torch.batch_norm(x, None, "
                                         "None, None, None, True, 0.1, 1e-5, True)\n"));
  root.register_module("drop", layer("Drop", {}, "def forward(self, x):\n    return torch.dropout(x, 0.5, True)\n"));
  root.register_module("off", layer("Off", {}, "def forward(self, x):\n    return torch.dropout(x, 0.0, True)\n"));
  root.define(
      "def forward(self, x):\n    return "
      "self.off.forward(self.drop.forward(self.instance.forward(self.bn.forward(x))))\n");
  return root;
}

class TrainingMode : public testing::Test {
 protected:
  /// Modules that are in training mode, of the root "", "conv", "bn" and "drop".
  void save(const std::string& source, const std::set<std::string>& in_training) {
    at::manual_seed(2);
    torch::jit::Module module = test::make_module("Net",
                                                  {{"conv.weight", at::randn({4, 3, 3, 3})},
                                                   {"bn.weight", at::rand({4}) + 0.5},
                                                   {"bn.bias", at::randn({4})},
                                                   {"bn.running_mean", at::randn({4})},
                                                   {"bn.running_var", at::rand({4}) + 0.5},
                                                   {"bn.num_batches_tracked", at::zeros({}, at::kLong)},
                                                   {"drop.buffer", at::zeros({1})}},
                                                  source);
    if (in_training.count("") > 0) module.setattr("training", true);
    for (const auto& child : module.named_children())
      if (in_training.count(child.name) > 0) torch::jit::Module(child.value).setattr("training", true);
    test::save_module(module, folder_ / "in.pt");
  }

  WriteReport write_fused(const ReadOptions& options = {}) {
    Model model = read(folder_ / "in.pt", options);
    fused_ = fuse(model);
    WriteOptions write_options;
    write_options.verify.inputs.dims = {{2, 3, 7, 7}};
    return write(std::move(model), folder_ / "out.pt", write_options);
  }

  [[nodiscard]] VerifyReport verify_files(bool eval) const {
    VerifyOptions options;
    options.inputs.dims = {{2, 3, 7, 7}};
    options.eval = eval;
    return verify(folder_ / "in.pt", folder_ / "out.pt", options);
  }

  FusionReport fused_;
  test::TemporaryFolder folder_;
};

TEST_F(TrainingMode, IsFoundWhereItMatters) {
  save(kAsks, {});
  EXPECT_EQ(read(folder_ / "in.pt").modules_in_training(), Names{});
  save(kAsks, {"", "conv"});
  EXPECT_EQ(read(folder_ / "in.pt").modules_in_training(), Names{}) << "neither asks for it";
  save(kAsks, {"bn"});
  EXPECT_EQ(read(folder_ / "in.pt").modules_in_training(), Names{"bn"});
  EXPECT_EQ(inspect(folder_ / "in.pt").in_training, Names{"bn"});
  save(kAsks, {"", "bn", "drop"});
  EXPECT_EQ(read(folder_ / "in.pt").modules_in_training(), (Names{"bn", "drop"}));
}

TEST_F(TrainingMode, IsFoundInATrace) {
  test::save_module(traced(true), folder_ / "in.pt");
  EXPECT_EQ(read(folder_ / "in.pt").modules_in_training(), (Names{"bn", "drop"}));
  EXPECT_TRUE(test::refuses(ErrorKind::model, "traced in training mode, which eval() can't change any more: bn, drop",
                            [&] { read(folder_ / "in.pt", {.eval = true}); }));
  EXPECT_TRUE(write_fused().written);
  test::save_module(traced(false), folder_ / "in.pt");
  EXPECT_EQ(read(folder_ / "in.pt").modules_in_training(), Names{}) << "always on, as its author wants it";
}

TEST_F(TrainingMode, IsKeptAndCanStillBeChanged) {
  save(kAsks, {"", "conv", "bn", "drop"});
  const WriteReport report = write_fused();
  EXPECT_TRUE(report.written);
  ASSERT_EQ(report.methods.size(), 2U);
  EXPECT_FALSE(report.methods[0].eval);
  EXPECT_TRUE(report.methods[1].eval);
  EXPECT_TRUE(verify_files(false).passed);
  EXPECT_TRUE(verify_files(true).passed) << verify_files(true).failure;
  EXPECT_EQ(fused_.fused(), 0U);
  ASSERT_FALSE(fused_.warnings.empty());
  EXPECT_TRUE(test::has(fused_.warnings.front(), "training mode: 2 modules")) << fused_.warnings.front();
}

TEST_F(TrainingMode, WhatIsInEvalIsFoldedBesideIt) {
  save(kAsks, {"drop"});
  EXPECT_TRUE(write_fused().written);
  EXPECT_EQ(fused_.fused(), 1U);
  EXPECT_TRUE(verify_files(false).passed);
  EXPECT_TRUE(verify_files(true).passed);
}

TEST_F(TrainingMode, AWrongEvalIsFound) {
  save(kAsks, {"drop"});
  EXPECT_TRUE(write_fused().written);
  save(kAsks, {"drop", "bn"});
  EXPECT_FALSE(verify_files(false).passed);
  EXPECT_TRUE(verify_files(true).passed) << "in eval() both are the same network";
}

TEST_F(TrainingMode, EvalMakesAFileForInference) {
  save(kAsks, {"", "conv", "bn", "drop"});
  const WriteReport report = write_fused({.eval = true});
  EXPECT_TRUE(report.written);
  EXPECT_EQ(report.methods.size(), 1U);
  EXPECT_EQ(fused_.fused(), 1U);
  EXPECT_TRUE(fused_.warnings.empty());
  EXPECT_FALSE(verify_files(false).passed);
  EXPECT_TRUE(verify_files(true).passed);
  EXPECT_FALSE(torch::jit::load((folder_ / "out.pt").string()).attr("training").toBool());
}

TEST_F(TrainingMode, Int8WantsEval) {
  save(kAsks, {"bn"});
  QuantizeOptions options;
  options.calibration.random = 4;
  options.calibration.inputs.dims = {{2, 3, 7, 7}};
  Model model = read(folder_ / "in.pt");
  EXPECT_TRUE(test::refuses(ErrorKind::model, "in training mode, which int8 can't follow: bn",
                            [&] { to_int8(model, options); }));
  Model eval = read(folder_ / "in.pt", {.eval = true});
  EXPECT_EQ(to_int8(eval, options).int8_operators, 1U);
  EXPECT_TRUE(write(std::move(eval), folder_ / "out.pt").written);
}

}  // namespace
}  // namespace fusekit
