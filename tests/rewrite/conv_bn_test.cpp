#include "rewrite/fixture.h"
#include "support/module.h"

namespace fusekit {
namespace {

using test::batch_norm;
using test::batch_norm_call;
using test::conv_bn;
using test::Fused;
using test::kConv2d;
using test::layer;
using test::Tensors;
using test::operator+;

struct Spelling {
  const char* name;
  std::vector<std::int64_t> weight;
  std::vector<std::int64_t> input;
  const char* call;
};

void PrintTo(const Spelling& given, std::ostream* out) { *out << given.name; }

class ConvBnSpelling : public testing::TestWithParam<Spelling> {};

TEST_P(ConvBnSpelling, FoldsAndComputesTheSame) {
  const Spelling& spelling = GetParam();
  const bool has_bias = std::string(spelling.call).find("conv.bias") != std::string::npos;
  Fused fused(layer("conv", spelling.weight, has_bias) + batch_norm("bn", spelling.weight[0]), conv_bn(spelling.call));
  EXPECT_EQ(fused.fired("conv+bn"), 1);
  EXPECT_EQ(fused.fired(), 1);
  test::FileCheck().check_not("batch_norm")->check("aten::sigmoid")->run(fused.graph());
  EXPECT_EQ(fused.state_dict_names(), (std::vector<std::string>{"conv.bias", "conv.weight"}));
  EXPECT_LT(fused.error(spelling.input), 1e-5);
}

const char* const kFlags = "False, False, True, True";

INSTANTIATE_TEST_SUITE_P(
    AllSpellings, ConvBnSpelling,
    testing::Values(
        Spelling{"conv1d", {4, 3, 3}, {2, 3, 9}, "torch.conv1d(x, self.conv.weight, self.conv.bias, [1], [1], [1], 1)"},
        Spelling{"conv2d", {4, 3, 3, 3}, {2, 3, 9, 9}, kConv2d},
        Spelling{"conv3d",
                 {4, 3, 3, 3, 3},
                 {2, 3, 5, 5, 5},
                 "torch.conv3d(x, self.conv.weight, self.conv.bias, [1, 1, 1], [1, 1, 1], [1, 1, 1], 1)"},
        Spelling{"grouped",
                 {4, 2, 3, 3},
                 {2, 4, 9, 9},
                 "torch.conv2d(x, self.conv.weight, self.conv.bias, [2, 2], [0, 0], [1, 1], 2)"},
        Spelling{"without_bias",
                 {4, 3, 3, 3},
                 {2, 3, 9, 9},
                 "torch.conv2d(x, self.conv.weight, None, [1, 1], [1, 1], [1, 1], 1)"},
        Spelling{"string_padding",
                 {4, 3, 3, 3},
                 {2, 3, 9, 9},
                 "torch.conv2d(x, self.conv.weight, self.conv.bias, [1, 1], 'same', [1, 1], 1)"},
        Spelling{"traced_string_padding",
                 {4, 3, 3, 3},
                 {2, 3, 9, 9},
                 "torch._convolution_mode(x, self.conv.weight, self.conv.bias, [1, 1], 'same', [1, 1], 1)"},
        Spelling{"traced",
                 {4, 3, 3, 3},
                 {2, 3, 9, 9},
                 "torch._convolution(x, self.conv.weight, self.conv.bias, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, "
                 "False, False, True, True)"},
        Spelling{"traced_by_1_6",
                 {4, 3, 3, 3},
                 {2, 3, 9, 9},
                 "torch._convolution(x, self.conv.weight, self.conv.bias, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, "
                 "False, False, True)"},
        Spelling{"convolution",
                 {4, 3, 3, 3},
                 {2, 3, 9, 9},
                 "torch.convolution(x, self.conv.weight, self.conv.bias, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)"}),
    [](const auto& info) { return info.param.name; });

class ConvBnDtype : public testing::TestWithParam<std::pair<at::ScalarType, double>> {};

TEST_P(ConvBnDtype, KeepsTheDtype) {
  const auto [dtype, tolerance] = GetParam();
  Tensors tensors = layer("conv", {4, 3, 3, 3}) + batch_norm("bn", 4);
  for (auto& [path, tensor] : tensors) tensor = tensor.to(dtype);
  Fused fused(tensors, conv_bn(kConv2d));
  EXPECT_EQ(fused.fired("conv+bn"), 1);
  for (const auto& parameter : fused.module.parameters()) EXPECT_EQ(parameter.scalar_type(), dtype);
  // LibTorch 1.13 has no half convolution on the CPU.
  if (dtype != at::kHalf) {
    EXPECT_LT(fused.error({2, 3, 9, 9}, dtype), tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, ConvBnDtype,
                         testing::Values(std::pair{at::kDouble, 1e-13}, std::pair{at::kFloat, 1e-5},
                                         std::pair{at::kBFloat16, 3e-2}, std::pair{at::kHalf, 0.0}),
                         [](const auto& info) { return c10::toString(info.param.first); });

TEST(ConvBn, FoldsABatchNormWithoutAffineParameters) {
  Fused fused(layer("conv", {4, 3, 3, 3}) + batch_norm("bn", 4),
              std::string("  y = ") + kConv2d +
                  "\n  return torch.batch_norm(y, None, None, self.bn.running_mean, self.bn.running_var, False, 0.1, "
                  "1e-5, True)\n");
  EXPECT_EQ(fused.fired("conv+bn"), 1);
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

TEST(ConvBn, FoldsInsideABranch) {
  Fused fused(layer("conv", {4, 3, 3, 3}) + batch_norm("bn", 4),
              "  if bool(x.sum() > 0):\n    y = " + std::string(kConv2d) + "\n    z = " + batch_norm_call("y", "bn") +
                  "\n  else:\n    z = x\n  return z\n");
  EXPECT_EQ(fused.fired("conv+bn"), 1);
  test::FileCheck().check("prim::If")->check("aten::_convolution")->check_not("batch_norm")->run(fused.graph());
  const at::Tensor positive = torch::rand({2, 3, 9, 9});
  for (const at::Tensor& input : {positive, at::Tensor(-positive)})
    EXPECT_TRUE(
        at::allclose(fused.original.forward({input}).toTensor(), fused.module.forward({input}).toTensor(), 1e-4, 1e-4));
}

TEST(ConvBn, FoldsThroughInactiveDropout) {
  Fused fused(
      layer("conv", {4, 3, 3, 3}) + batch_norm("bn", 4),
      std::string("  y = torch.dropout(") + kConv2d + ", 0.5, False)\n  return " + batch_norm_call("y", "bn") + "\n");
  EXPECT_EQ(fused.fired("conv+bn"), 1);
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

TEST(ConvBn, DropoutThatMayBeActiveKeepsThePairApart) {
  const Fused fused(layer("conv", {4, 3, 3, 3}) + batch_norm("bn", 4), std::string("  y = torch.dropout(") + kConv2d +
                                                                           ", 0.5, x.size(0) > 100)\n  return " +
                                                                           batch_norm_call("y", "bn") + "\n");
  EXPECT_EQ(fused.fired(), 0);
}

// What a weight is beside its numbers.

TEST(ConvBn, KeepsTheMemoryFormat) {
  Tensors tensors = layer("conv", {4, 3, 3, 3}) + batch_norm("bn", 4);
  for (const at::MemoryFormat format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    tensors["conv.weight"] = tensors["conv.weight"].contiguous(format);
    const Fused fused(tensors, conv_bn(kConv2d));
    EXPECT_EQ(fused.fired("conv+bn"), 1);
    EXPECT_TRUE(fused.module.attr("conv").toModule().attr("weight").toTensor().is_contiguous(format));
  }
}

TEST(ConvBn, WhatLearnsGoesOnLearning) {
  for (const bool learns : {true, false}) {
    Tensors tensors = layer("conv", {4, 3, 3, 3}, /*bias=*/false) + batch_norm("bn", 4);
    tensors["conv.weight"].requires_grad_(learns);
    const Fused fused(tensors, conv_bn("torch.conv2d(x, self.conv.weight, None, [1, 1], [1, 1], [1, 1], 1)"));
    EXPECT_EQ(fused.fired("conv+bn"), 1);
    const torch::jit::Module conv = fused.module.attr("conv").toModule();
    EXPECT_EQ(conv.attr("weight").toTensor().requires_grad(), learns);
    EXPECT_EQ(conv.attr("bias").toTensor().requires_grad(), learns) << "the new bias is as the weight";
    EXPECT_EQ(conv.named_parameters().size(), 2U);
  }
}

TEST(ConvBn, GoesOnThroughASecondBatchNorm) {
  Fused fused(layer("conv", {4, 3, 3, 3}) + batch_norm("bn", 4) + batch_norm("bn2", 4),
              std::string("  y = ") + kConv2d + "\n  z = " + batch_norm_call("y", "bn") + "\n  return " +
                  batch_norm_call("z", "bn2") + "\n");
  EXPECT_EQ(fused.fired("conv+bn"), 2);
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

// One weight, two places.

TEST(ConvBn, AConvolutionCalledTwiceWithOneBatchNormIsFoldedOnce) {
  const std::string call = batch_norm_call("torch.conv2d(x, self.conv.weight, None, [1, 1], [1, 1], [1, 1], 1)", "bn");
  const std::string again = batch_norm_call("torch.conv2d(y, self.conv.weight, None, [1, 1], [1, 1], [1, 1], 1)", "bn");
  Fused fused(layer("conv", {3, 3, 3, 3}, false) + batch_norm("bn", 3),
              "  y = torch.sigmoid(" + call + ")\n  return " + again + "\n");
  EXPECT_EQ(fused.fired("conv+bn"), 2);
  EXPECT_EQ(fused.state_dict_names(), (std::vector<std::string>{"conv.bias", "conv.weight"}));
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

TEST(ConvBn, AConvolutionWithTwoBatchNormsIsFoldedIntoCopies) {
  const std::string call = batch_norm_call("torch.conv2d(x, self.conv.weight, None, [1, 1], [1, 1], [1, 1], 1)", "bn");
  const std::string again =
      batch_norm_call("torch.conv2d(y, self.conv.weight, None, [1, 1], [1, 1], [1, 1], 1)", "bn2");
  Fused fused(layer("conv", {3, 3, 3, 3}, false) + batch_norm("bn", 3) + batch_norm("bn2", 3),
              "  y = torch.sigmoid(" + call + ")\n  return " + again + "\n");
  EXPECT_EQ(fused.fired("conv+bn"), 2);
  EXPECT_EQ(fused.state_dict_names().size(), 4U);
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

TEST(ConvBn, AnotherEpsIsAnotherFold) {
  const std::string call = batch_norm_call("torch.conv2d(x, self.conv.weight, None, [1, 1], [1, 1], [1, 1], 1)", "bn");
  std::string again = batch_norm_call("torch.conv2d(y, self.conv.weight, None, [1, 1], [1, 1], [1, 1], 1)", "bn");
  again.replace(again.find("1e-5"), 4, "0.5");
  Fused fused(layer("conv", {3, 3, 3, 3}, false) + batch_norm("bn", 3),
              "  y = torch.sigmoid(" + call + ")\n  return " + again + "\n");
  EXPECT_EQ(fused.fired("conv+bn"), 2);
  EXPECT_EQ(fused.state_dict_names().size(), 4U);
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

TEST(ConvBn, AWeightThatIsReadElsewhereKeepsItsNameAndValue) {
  const Tensors tensors = layer("conv", {3, 3, 3, 3}, false) + batch_norm("bn", 3);
  Fused fused(tensors, "  y = torch.conv2d(x, self.conv.weight, None, [1, 1], [1, 1], [1, 1], 1)\n  return " +
                           batch_norm_call("y", "bn") + " + self.conv.weight.sum()\n");
  EXPECT_EQ(fused.fired("conv+bn"), 1);
  EXPECT_TRUE(fused.module.attr("conv").toModule().attr("weight").toTensor().equal(tensors.at("conv.weight")));
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

TEST(ConvBn, AnotherMethodOnTheSameWeightComputesTheSame) {
  auto module = test::make_module("Net", layer("conv", {3, 3, 3, 3}, false) + batch_norm("bn", 3),
                                  "def forward(self, x):\n  y = torch.conv2d(x, self.conv.weight)\n  return " +
                                      batch_norm_call("y", "bn") +
                                      "\ndef features(self, x):\n  return torch.conv2d(x, self.conv.weight)\n");
  Fused fused(module);
  EXPECT_EQ(fused.fired("conv+bn"), 1);
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
  const at::Tensor input = torch::randn({1, 3, 9, 9});
  EXPECT_TRUE(fused.original.get_method("features")({input}).toTensor().equal(
      fused.module.get_method("features")({input}).toTensor()));
}

// Checks of the rank, as scripted BatchNorms have them.

const std::string kCheck = "  assert y.dim() == 4, 'expected 4D input'\n";

TEST(ConvBn, ARankCheckDoesNotKeepThePairApartAndDataOfAnotherRankGoesOnRaising) {
  Fused fused(layer("conv", {4, 3, 3, 3}) + batch_norm("bn", 4),
              std::string("  y = ") + kConv2d + "\n" + kCheck + "  return " + batch_norm_call("y", "bn") + "\n");
  EXPECT_EQ(fused.fired("conv+bn"), 1);
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
  EXPECT_ANY_THROW(fused.original.forward({torch::randn({3, 9, 9})}));
  EXPECT_ANY_THROW(fused.module.forward({torch::randn({3, 9, 9})}));
}

TEST(ConvBn, ChecksOfARankThatAnOperatorInsistsOnAreDropped) {
  Fused fused(layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3) + layer("conv2", {3, 3, 3, 3}) + batch_norm("bn2", 3),
              std::string("  y = ") + kConv2d + "\n" + kCheck + "  y = torch.sigmoid(" + batch_norm_call("y", "bn") +
                  ")\n  y = torch.conv2d(y, self.conv2.weight, self.conv2.bias)\n" + kCheck + "  return " +
                  batch_norm_call("y", "bn2") + "\n");
  EXPECT_EQ(fused.fired("conv+bn"), 2);
  test::FileCheck()
      .check("aten::_convolution")
      ->check_not("RaiseException")
      ->check("aten::conv2d")
      ->check_not("RaiseException")
      ->run(fused.graph());
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
  EXPECT_ANY_THROW(fused.module.forward({torch::randn({3, 9, 9})}));
}

TEST(ConvBn, ACheckOfARankThatIsNotProvenStays) {
  Fused fused(layer("conv", {3, 3, 3, 3}), std::string("  y = ") + kConv2d + "\n" + kCheck + "  return y\n");
  EXPECT_TRUE(fused.is_unchanged());
  test::FileCheck().check_count("prim::RaiseException", 1, true)->run(fused.graph());
}

TEST(ConvBn, ACheckThatComesBeforeTheOperatorThatInsistsStays) {
  const Fused fused(layer("conv", {3, 3, 3, 3}),
                    "  assert x.dim() == 4, 'expected 4D input'\n  return torch._convolution(x, self.conv.weight, "
                    "self.conv.bias, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, False, False, True, True)\n");
  test::FileCheck().check_count("prim::RaiseException", 1, true)->run(fused.graph());
}

TEST(ConvBn, UnbatchedDataIsNeverFoldedWrongly) {
  // A (C, H, W) input with H == C has its rows normalized as channels: not what the fold computes.
  Fused fused(layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3), conv_bn(kConv2d));
  EXPECT_EQ(fused.fired("conv+bn"), 1);
  EXPECT_NO_THROW(fused.original.forward({torch::randn({3, 3, 5})}));
  EXPECT_ANY_THROW(fused.module.forward({torch::randn({3, 3, 5})}));
}

TEST(ConvBn, AnUnbatchedConvolutionIsLeft) {
  Fused fused(layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3), "  x = x.view([3, 3, 5])\n" + conv_bn(kConv2d));
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_EQ(fused.reasons(), "its data has 3 dimensions, no batch among them\n");
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_EQ(fused.error({1, 3, 3, 5}), 0);
}

TEST(ConvBn, ADeeperNetworkFusesEveryPair) {
  Tensors tensors;
  std::string body;
  for (int i = 0; i < 20; ++i) {
    const std::string conv = "conv" + std::to_string(i);
    const std::string bn = "bn" + std::to_string(i);
    tensors = tensors + layer(conv, {3, 3, 3, 3}) + batch_norm(bn, 3);
    body += fmt::format("  x = torch.conv2d(x, self.{0}.weight, self.{0}.bias, [1, 1], [1, 1])\n", conv);
    body += "  x = torch.sigmoid(" + batch_norm_call("x", bn) + ")\n";
  }
  Fused fused(tensors, body + "  return x\n");
  EXPECT_EQ(fused.fired("conv+bn"), 20);
  EXPECT_LT(fused.error({1, 3, 9, 9}), 1e-5);
}

}  // namespace
}  // namespace fusekit
