// What is new in a tree takes no name that something else has.
#include "file/free_names.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/fuse.h"
#include "fusekit/model.h"
#include "fusekit/quantize.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

std::string conv_and_bn(const std::string& conv, const std::string& last = "    return x\n") {
  return "def forward(self, x):\n"
         "    x = torch.conv2d(x, " +
         conv +
         ", None, [1, 1], [0, 0], [1, 1], 1)\n"
         "    x = torch.batch_norm(x, None, None, self.bn.running_mean, self.bn.running_var, False, 0.1, 1e-5, "
         "True)\n" +
         last;
}

/// A network with a submodule `conv` (weight alone) and a BatchNorm, without methods.
torch::jit::Module bare() {
  at::manual_seed(3);
  return test::make_module("Net",
                           {{"conv.weight", at::randn({4, 3, 1, 1})},
                            {"bn.running_mean", at::randn({4})},
                            {"bn.running_var", at::rand({4}) + 1}},
                           "");
}

torch::jit::Module folded_net(torch::jit::Module& module) {
  const test::TemporaryFolder folder;
  test::save_module(module, folder / "net.pt");
  auto program = read(folder / "net.pt");
  fuse(program);
  test::save_module(program.to_module(), folder / "fused.pt");
  torch::jit::Module written = torch::jit::load((folder / "fused.pt").string());
  const at::Tensor x = at::randn({2, 3, 5, 5});
  EXPECT_FALSE(written.hasattr("bn")) << "the BatchNorm was not folded";
  EXPECT_TRUE(at::allclose(written.forward({x}).toTensor(), module.forward({x}).toTensor(), 1e-4, 1e-5));
  return written;
}

std::set<std::string> parameters_of(const torch::jit::Module& module) {
  std::set<std::string> names;
  for (const auto& parameter : module.named_parameters()) names.insert(parameter.name);
  return names;
}

TEST(FreeNames, ATensorThatIsUsedUpAndANoneGiveTheirNamesAway) {
  torch::jit::Module module = bare();
  module.attr("conv").toModule().register_attribute("bias", c10::NoneType::get(), c10::IValue());
  module.define(conv_and_bn("self.conv.weight"));
  EXPECT_EQ(parameters_of(folded_net(module)), (std::set<std::string>{"conv.bias", "conv.weight"}));
}

TEST(FreeNames, AnAttributeThatForwardReadsStays) {
  torch::jit::Module module = bare();
  module.attr("conv").toModule().register_attribute("bias", c10::BoolType::get(), true);
  module.define(conv_and_bn("self.conv.weight", "    return x + 1. if self.conv.bias else x\n"));
  const torch::jit::Module written = folded_net(module);
  ASSERT_TRUE(written.attr("conv").toModule().attr("bias").isBool());
  EXPECT_TRUE(written.attr("conv").toModule().attr("bias").toBool());
  EXPECT_EQ(parameters_of(written), (std::set<std::string>{"conv.bias_1", "conv.weight"}));
}

TEST(FreeNames, AnAttributeThatNothingReadsStays) {
  torch::jit::Module module = bare();
  torch::jit::Module conv = module.attr("conv").toModule();
  conv.register_attribute("bias", c10::BoolType::get(), false);
  conv.register_attribute("bias_1", c10::IntType::get(), 3);
  module.define(conv_and_bn("self.conv.weight"));
  const torch::jit::Module written = folded_net(module).attr("conv").toModule();
  EXPECT_TRUE(written.attr("bias").isBool());
  EXPECT_TRUE(written.attr("bias_1").isInt());
  EXPECT_EQ(parameters_of(written), (std::set<std::string>{"bias_2", "weight"}));
}

TEST(FreeNames, ATensorThatNothingReadsStays) {
  torch::jit::Module module = bare();
  module.attr("conv").toModule().register_buffer("bias", at::ones({7}));
  module.define(conv_and_bn("self.conv.weight"));
  const torch::jit::Module written = folded_net(module).attr("conv").toModule();
  EXPECT_TRUE(at::equal(written.attr("bias").toTensor(), at::ones({7})));
}

TEST(FreeNames, StateThatIsNoneAtFirstStays) {
  torch::jit::Module module = bare();
  module.attr("conv").toModule().register_attribute("bias", c10::OptionalType::ofTensor(), c10::IValue());
  module.define(conv_and_bn("self.conv.weight", "    self.conv.bias = x\n    return x\n"));
  const torch::jit::Module written = folded_net(module).attr("conv").toModule();
  EXPECT_EQ(written.attr("bias").toTensor().dim(), 4) << "a run writes its output there";
  EXPECT_EQ(parameters_of(written).count("bias_1"), 1U);
}

TEST(FreeNames, ASubmoduleStays) {
  torch::jit::Module module = bare();
  module.attr("conv").toModule().register_module("bias", test::make_module("Bias", {{"weight", at::ones({1})}}, ""));
  module.define(conv_and_bn("self.conv.weight", "    return x + self.conv.bias.weight\n"));
  EXPECT_EQ(parameters_of(folded_net(module)),
            (std::set<std::string>{"conv.bias.weight", "conv.bias_1", "conv.weight"}));
}

TEST(FreeNames, AMethodKeepsItsName) {
  torch::jit::Module module = bare();
  module.register_parameter("weight", at::randn({4, 3, 1, 1}), /*is_buffer=*/false);
  module.define(conv_and_bn("self.weight") + "def bias(self, x: int) -> int:\n    return x + 1\n");
  torch::jit::Module written = folded_net(module);
  EXPECT_EQ(parameters_of(written), (std::set<std::string>{"bias_1", "weight"}));
  EXPECT_EQ(written.get_method("bias")({1}).toInt(), 2);

  torch::jit::Module below = bare();
  below.attr("conv").toModule().define("def bias(self, x: int) -> int:\n    return x + 1\n");
  below.define(conv_and_bn("self.conv.weight"));
  EXPECT_EQ(parameters_of(folded_net(below)), (std::set<std::string>{"conv.bias_1", "conv.weight"}));
}

TEST(FreeNames, AConstantStays) {
  torch::jit::Module module = bare();
  module.attr("conv").toModule().type()->addConstant("bias", false);
  module.define(conv_and_bn("self.conv.weight"));
  const torch::jit::Module written = folded_net(module);
  EXPECT_EQ(parameters_of(written), (std::set<std::string>{"conv.bias_1", "conv.weight"}));
  const auto constant = written.attr("conv").toModule().type()->findConstant("bias");
  EXPECT_TRUE(constant && constant->isBool());
}

TEST(FreeNames, PackedWeightsLeaveWhatHasTheirName) {
  const test::TemporaryFolder folder;
  torch::jit::Module module = bare();
  module.attr("conv").toModule().register_attribute("_packed_params", c10::StringType::get(), std::string("mine"));
  module.define(conv_and_bn("self.conv.weight"));
  test::save_module(module, folder / "net.pt");
  auto program = read(folder / "net.pt");
  QuantizeOptions options;
  options.calibration.random = 4;
  options.calibration.inputs.dims = {{1, 3, 5, 5}};
  options.calibration.inputs.types = {"float"};
  to_int8(program, options);
  const torch::jit::Module conv = program.to_module().attr("conv").toModule();
  ASSERT_TRUE(conv.attr("_packed_params").isString());
  EXPECT_TRUE(conv.hasattr("_packed_params_1"));
}

}  // namespace
}  // namespace fusekit
