// Under which module's name an operator's time stands, for every kind of file.
#include <gtest/gtest.h>

#include <algorithm>

#include "bench/layer_paths.h"
#include "bench/profile.h"
#include "fusekit/fuse.h"
#include "fusekit/lower.h"
#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "target/cpu/packed_layer.h"

namespace fusekit::bench {
namespace {

class ProfilePaths : public testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(3);
    fusekit::test::save_module(
        fusekit::test::make_module(
            "Net",
            {{"body.block.conv.weight", torch::randn({8, 8, 3, 3}) / 8},
             {"body.block.bn.weight", torch::rand({8})},
             {"body.block.bn.bias", torch::rand({8})},
             {"body.block.bn.running_mean", torch::rand({8})},
             {"body.block.bn.running_var", torch::rand({8}) + 0.5},
             {"head.weight", torch::randn({16, 8})},
             {"head.bias", torch::randn({16})}},
            "def forward(self, x):\n"
            "    b = self.body.block\n"
            "    x = torch.conv2d(x, b.conv.weight, None, [1, 1], [1, 1])\n"
            "    x = torch.batch_norm(x, b.bn.weight, b.bn.bias, b.bn.running_mean, b.bn.running_var, "
            "False, 0.1, 1e-5, True)\n"
            "    x = torch.relu(x)\n"
            "    return torch.linear(torch.mean(x, [2, 3]), self.head.weight, self.head.bias)\n"),
        folder_ / "in.pt");
  }

  [[nodiscard]] InputOptions inputs() const {
    InputOptions inputs;
    inputs.dims = {{32, 8, 12, 12}};
    inputs.types = {"float"};
    return inputs;
  }

  void write_as(Model model, const LowerOptions& options = {}) {
    WriteOptions write_options;
    write_options.verify.inputs = inputs();
    lower(model, options);
    ASSERT_TRUE(write(std::move(model), folder_ / "out.pt", write_options).written);
  }

  [[nodiscard]] Profile profile_of(const std::string& name) const {
    Variant variant;
    variant.label = name;
    variant.model = folder_ / name;
    variant.arguments.inputs = inputs();
    return profile(variant, real_clock(), 0);
  }

  /// The row of an operator whose name has `op` in it, in that module.
  static const LayerTime& row(const Profile& profile, const std::string& scope, const std::string& op) {
    static const LayerTime none;
    const auto found = std::find_if(profile.layers.begin(), profile.layers.end(), [&](const LayerTime& layer) {
      return layer.scope == scope && layer.op.find(op) != std::string::npos;
    });
    std::string all;
    for (const LayerTime& layer : profile.layers) all += layer.scope + " " + layer.op + "\n";
    EXPECT_NE(found, profile.layers.end()) << op << " in " << scope << " of\n" << all;
    return found == profile.layers.end() ? none : *found;
  }

  static void expect_sums(const Profile& profile) {
    double sum = profile.between_us() + profile.observer_us();
    for (const LayerTime& layer : profile.layers) {
      EXPECT_GT(layer.us, 0) << layer.op;
      sum += layer.us;
    }
    EXPECT_NEAR(sum, profile.forward_us, 1e-6 * profile.forward_us);
  }

  static constexpr double kConvolution = 2.0 * 32 * 8 * 12 * 12 * 8 * 9, kLinear = 2.0 * 32 * 16 * 8;

  fusekit::test::TemporaryFolder folder_;
};

TEST_F(ProfilePaths, OfAScriptedFile) {
  const Profile found = profile_of("in.pt");
  EXPECT_EQ(row(found, "body.block.conv", "aten::conv2d").flops, kConvolution);
  EXPECT_EQ(row(found, "body.block.conv", "aten::conv2d").bytes, 4.0 * (2 * 32 * 8 * 144 + 8 * 8 * 9));
  EXPECT_EQ(row(found, "body.block.bn", "aten::batch_norm").flops, 32.0 * 8 * 144);
  EXPECT_EQ(row(found, "head", "aten::linear").flops, kLinear);
  EXPECT_EQ(row(found, "head", "aten::linear").dtype, "float");
  EXPECT_TRUE(row(found, "head", "aten::linear").attainable_us.has_value());
  EXPECT_GT(found.plain_us, 0);
  EXPECT_GT(found.machine.flops_per_second.at("float"), 0);
  expect_sums(found);
}

TEST_F(ProfilePaths, OfAFusedFile) {
  Model model = read(folder_ / "in.pt");
  fuse(model);
  write_as(std::move(model));
  const Profile found = profile_of("out.pt");
  EXPECT_EQ(row(found, "body.block.conv", "conv").flops, kConvolution);
  EXPECT_EQ(row(found, "head", "aten::linear").flops, kLinear);
  expect_sums(found);
}

TEST_F(ProfilePaths, OfAFileForTheCpu) {
  if (!target::PackedLayers::are_supported()) GTEST_SKIP() << "this LibTorch has no mkldnn::_convolution_pointwise";
  Model model = read(folder_ / "in.pt");
  fuse(model);
  LowerOptions options;
  options.target = "cpu";
  options.inputs = inputs();
  write_as(std::move(model), options);
  const Profile found = profile_of("out.pt");
  EXPECT_EQ(row(found, "body.block.conv", "mkldnn::_convolution_pointwise").flops, kConvolution);
  EXPECT_EQ(row(found, "head", "linear").flops, kLinear);
  EXPECT_GE(row(found, "head", "linear").bytes, 4.0 * (32 * 8 + 32 * 16 + 16 * 8)) << "with the packed weight";
  expect_sums(found);
}

TEST_F(ProfilePaths, OfAnInt8File) {
  Model model = read(folder_ / "in.pt");
  QuantizeOptions options;
  options.calibration.random = 4;
  options.calibration.inputs = inputs();
  apply_for(RuntimeOptions(), options);
  ASSERT_TRUE(to_int8(model, options).bound_holds);
  write_as(std::move(model));
  const Profile found = profile_of("out.pt");
  const LayerTime& convolution = row(found, "body.block.conv", "quantized::conv2d");
  EXPECT_EQ(convolution.flops, kConvolution);
  EXPECT_EQ(convolution.dtype, "int8");
  expect_sums(found);
}

TEST_F(ProfilePaths, AnOperatorWithoutWeightsStandsUnderTheModuleThatCallsIt) {
  torch::jit::Module block("__torch__.test.Block");
  block.define("def forward(self, x):\n    return torch.relu(x) + 1\n");
  torch::jit::Module stage("__torch__.test.Stage");
  stage.register_module("first", block);
  stage.define("def forward(self, x):\n    return self.first.forward(x)\n");
  torch::jit::Module net("__torch__.test.Net");
  net.register_module("stage", stage);
  net.define(
      "def helper(self, x):\n    return self.stage.forward(x)\n"
      "def forward(self, x):\n    return torch.neg(self.helper(torch.neg(x)))\n");
  net.save((folder_ / "calls.pt").string());
  const Profile found = profile_of("calls.pt");
  EXPECT_NEAR(row(found, "stage.first", "aten::relu").calls, 1, 1e-6);
  EXPECT_NEAR(row(found, "stage.first", "aten::add").calls, 1, 1e-6);
  EXPECT_NEAR(row(found, "", "aten::neg").calls, 2, 1e-6);
}

TEST_F(ProfilePaths, ArgumentsOfLaterOperatorsAreNotItsOwn) {
  fusekit::test::save_module(fusekit::test::make_module("Net", {},
                                                        "def forward(self, x):\n"
                                                        "    y = torch.neg(x)\n"
                                                        "    return torch.add(y, torch.relu(y))\n"),
                             folder_ / "stack.pt");
  EXPECT_EQ(row(profile_of("stack.pt"), "", "aten::relu").bytes, 2 * 4.0 * 32 * 8 * 144);
}

TEST(LayerPaths, AreReadOutOfTheHierarchyOfModules) {
  EXPECT_EQ(path_in_hierarchy("TOP(Net)::forward.SELF(Net)::helper.stage(Stage)::forward.0(Block)::forward"),
            "stage.0");
  EXPECT_EQ(path_in_hierarchy("TOP(Net)::forward.pool(MaxPool2d)::forward.::_max_pool2d."), "pool");
  EXPECT_EQ(path_in_hierarchy("TOP(Net)::forward.::helper.pool(MaxPool2d)::forward."), "pool");
  EXPECT_EQ(path_in_hierarchy("TOP(Net)::forward."), "");
  EXPECT_EQ(path_in_hierarchy(""), "");
  EXPECT_EQ(path_in_hierarchy("TOP(Net)::forward.stage(Stage)::forward.UNKNOWN_INSTANCE(UNKNOWN_TYPE)::f"), "stage");
}

TEST(LayerPaths, OfPackedWeightsAsPyTorchSavesThem) {
  torch::jit::Module inner("__torch__.test.LinearPackedParams");
  const at::Tensor weight = torch::randn({3, 4});
  inner.register_attribute("_packed_params", c10::TensorType::get(), weight);
  torch::jit::Module layer("__torch__.test.Linear");
  layer.register_module("_packed_params", inner);
  torch::jit::Module net("__torch__.test.Net");
  net.register_module("fc", layer);
  const Weights weights(net);
  ASSERT_NE(weights.find(weight), nullptr);
  EXPECT_EQ(weights.find(weight)->path, "fc");
  EXPECT_EQ(weights.find_in(c10::List<at::Tensor>({torch::ones({1}), weight}))->path, "fc");
  EXPECT_EQ(weights.find(torch::ones({1})), nullptr);
}

}  // namespace
}  // namespace fusekit::bench
