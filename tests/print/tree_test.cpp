#include "fusekit/tree.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/error.h"
#include "fusekit/example.h"
#include "print/python_text.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(FUSEKIT_SOURCE_DIR) / "tests/golden";

constexpr const char* kRecipe = R"(AnnotatedConvBnReLUModel(
  (conv): Conv2d(3, 5, kernel_size=(3, 3), stride=(1, 1), bias=False)
  (bn): BatchNorm2d(5, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (relu): ReLU(inplace=True)
  (quant): QuantStub()
  (dequant): DeQuantStub()
))";

constexpr const char* kRecipeFused = R"(AnnotatedConvBnReLUModel(
  (conv): Conv2d(3, 5, kernel_size=(3, 3), stride=(1, 1), bias=False)
  (bn): BNReLU2d(
    (0): BatchNorm2d(5, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
    (1): ReLU(inplace=True)
  )
  (relu): Identity()
  (quant): QuantStub()
  (dequant): DeQuantStub()
))";

ModuleTree recipe() { return tree_of(make_example("conv_bn_relu")); }

ModuleTree leaf(const std::string& name, const std::string& class_name, const std::string& extra = "") {
  return {name, class_name, extra, {}};
}

ModuleTree net(std::vector<ModuleTree> children) { return {"", "Net", "", std::move(children)}; }

std::string line_of(const ModuleTree& tree, std::size_t child) { return to_string(tree.children.at(child)); }

TEST(Tree, PrintsTheRecipesModel) { EXPECT_EQ(to_string(recipe()), kRecipe); }

TEST(Tree, PrintsTheRecipesModelFused) {
  const FusedTree result = fused(recipe(), {{"bn", "relu"}});
  EXPECT_EQ(to_string(result.tree), kRecipeFused);
  EXPECT_TRUE(result.ignored.empty());
}

TEST(Tree, PrintsTorchvisionsModelsAsPythonDoes) {
  for (const std::string name : {"resnet18", "mobilenet_v2"})
    EXPECT_EQ(to_string(tree_of(make_example(name))) + "\n",
              test::bytes_of(kGolden / "torchvision" / (name + ".print.txt")));
}

TEST(Tree, PrintsAScriptedFileAsPythonDoes) {
  EXPECT_EQ(to_string(read_tree(kGolden / "layers/scripted.pt")) + "\n", test::bytes_of(kGolden / "layers/print.txt"));
}

TEST(Tree, PrintsATracedFileAsPythonDoes) {
  EXPECT_EQ(to_string(read_tree(kGolden / "layers/traced.pt")) + "\n", test::bytes_of(kGolden / "layers/print.txt"));
}

TEST(Tree, ReadsSettingsFromTheRootsCodeWhereLayersHaveNone) {
  auto conv = torch::jit::Module("__torch__.torch.nn.modules.conv.Conv2d");
  conv.register_parameter("weight", torch::zeros({4, 2, 3, 3}), false);
  torch::jit::Module root("__torch__.Net");
  root.register_module("body", conv);
  root.define("def forward(self, x):\n    return torch.conv2d(x, self.body.weight, None, [2, 2], [1, 1], [1, 1], 2)\n");
  EXPECT_EQ(line_of(tree_of(root), 0),
            "Conv2d(4, 4, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), groups=2, bias=False)");
}

TEST(Tree, SaysNothingAboutAUsersClassOfPyTorchsName) {
  torch::jit::Module relu("__torch__.mine.ReLU");
  relu.register_attribute("inplace", c10::BoolType::get(), true);
  EXPECT_EQ(to_string(tree_of(relu)), "ReLU()");
}

TEST(Tree, OnlyASquareSettingIsPrintedAsOneNumber) {
  torch::jit::Module pool("__torch__.torch.nn.modules.pooling.MaxPool2d");
  const auto pair = c10::TupleType::create({c10::IntType::get(), c10::IntType::get()});
  pool.register_attribute("kernel_size", pair, std::make_tuple(std::int64_t{3}, std::int64_t{2}));
  pool.register_attribute("stride", pair, std::make_tuple(std::int64_t{2}, std::int64_t{2}));
  EXPECT_EQ(to_string(tree_of(pool)), "MaxPool2d(kernel_size=(3, 2), stride=2)");
}

TEST(Tree, CountsTheCallsOfEachModule) {
  const ModuleTree resnet = tree_of(make_example("resnet18"));
  const ModuleTree& block = resnet.children.at(4).children.at(0);
  EXPECT_EQ(resnet.calls, 0U);
  EXPECT_EQ(block.calls, 1U);
  EXPECT_EQ(block.children.at(0).calls, 1U);
  EXPECT_EQ(block.children.at(2).class_name, "ReLU");
  EXPECT_EQ(block.children.at(2).calls, 2U);
}

TEST(FusedTree, FoldsABatchNormAndLeavesABias) {
  const ModuleTree tree =
      net({leaf("c", "Conv2d", "3, 5, kernel_size=(3, 3), stride=(1, 1), bias=False, padding_mode=circular"),
           leaf("b", "BatchNorm2d", "5"), leaf("f", "Linear", "in_features=5, out_features=2, bias=False"),
           leaf("n", "BatchNorm1d", "2")});
  const FusedTree result = fused(tree, {{"c", "b"}, {"f", "n"}});
  EXPECT_EQ(line_of(result.tree, 0), "Conv2d(3, 5, kernel_size=(3, 3), stride=(1, 1), padding_mode=circular)");
  EXPECT_EQ(line_of(result.tree, 1), "Identity()");
  EXPECT_EQ(line_of(result.tree, 2), "Linear(in_features=5, out_features=2, bias=True)");
  EXPECT_EQ(line_of(result.tree, 3), "Identity()");
}

TEST(FusedTree, PutsConvAndReluIntoAContainer) {
  const FusedTree result = fused(recipe(), {{"conv", "bn", "relu"}});
  EXPECT_EQ(line_of(result.tree, 0),
            "ConvReLU2d(\n  (0): Conv2d(3, 5, kernel_size=(3, 3), stride=(1, 1))\n  (1): ReLU(inplace=True)\n)");
  EXPECT_EQ(line_of(result.tree, 1), "Identity()");
  EXPECT_EQ(line_of(result.tree, 2), "Identity()");
}

TEST(FusedTree, KeepsTheBiasOfAConvWithoutBatchNorm) {
  const FusedTree result = fused(net({leaf("c", "Conv1d", "1, 1, bias=False"), leaf("r", "ReLU")}), {{"c", "r"}});
  EXPECT_EQ(line_of(result.tree, 0), "ConvReLU1d(\n  (0): Conv1d(1, 1, bias=False)\n  (1): ReLU()\n)");
}

TEST(FusedTree, FindsModulesByTheirPaths) {
  const FusedTree result = fused(tree_of(make_example("resnet18")), {{"layer1.0.conv1", "layer1.0.bn1"}});
  EXPECT_TRUE(result.ignored.empty());
  EXPECT_EQ(line_of(result.tree.children.at(4).children.at(0), 1), "Identity()");
  EXPECT_NE(line_of(result.tree.children.at(4).children.at(1), 1), "Identity()");
}

TEST(FusedTree, IgnoresWhatIsNoSequence) {
  const FusedTree result =
      fused(recipe(), {{"conv", "relu", "bn"}, {"conv", "norm"}, {"bn"}, {"bn", "bn"}, {"relu", "conv"}});
  EXPECT_EQ(to_string(result.tree), kRecipe);
  EXPECT_EQ(result.ignored,
            (std::vector<std::string>{
                "conv,relu,bn: Conv2d, ReLU, BatchNorm2d is no sequence that can be fused",
                "conv,norm: there is no module norm", "bn: BatchNorm2d is no sequence that can be fused",
                "bn,bn: a module stands in it twice", "relu,conv: ReLU, Conv2d is no sequence that can be fused"}));
}

TEST(PythonText, IsWhatStrGives) {
  using print::python_text;
  EXPECT_EQ(python_text(1e-5), "1e-05");
  EXPECT_EQ(python_text(0.1), "0.1");
  EXPECT_EQ(python_text(6.0), "6.0");
  EXPECT_EQ(python_text(1e22), "1e+22");
  EXPECT_EQ(python_text(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(python_text(c10::IValue()), "None");
  EXPECT_EQ(python_text(c10::IValue(true)), "True");
  EXPECT_EQ(python_text(c10::IValue("same")), "same");
  EXPECT_EQ(python_text(c10::IValue(std::make_tuple(std::int64_t{3}, std::int64_t{4}))), "(3, 4)");
  EXPECT_EQ(python_text(c10::IValue(std::make_tuple(std::int64_t{3}))), "(3,)");
}

}  // namespace
}  // namespace fusekit
