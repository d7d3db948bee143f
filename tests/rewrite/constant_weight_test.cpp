#include "rewrite/fixture.h"
#include "support/module.h"

namespace fusekit {
namespace {

using test::batch_norm;
using test::batch_norm_call;
using test::Fused;
using test::layer;
using test::Tensors;
using test::operator+;

const char* const kConstantWeight = "constant_weight";

Tensors weight_normed(const std::string& path, at::IntArrayRef shape) {
  std::vector<std::int64_t> lengths(shape.size(), 1);
  lengths[0] = shape[0];
  return {{path + ".weight_v", torch::randn(shape)},
          {path + ".weight_g", torch::rand(lengths) + 0.5},
          {path + ".bias", torch::randn({shape[0]})}};
}

const std::string kNormed = "  w = torch._weight_norm(self.conv.weight_v, self.conv.weight_g, 0)\n";
const std::string kNormedConv = kNormed + "  y = torch.conv2d(x, w, self.conv.bias, [1, 1], [1, 1])\n";

TEST(ConstantWeight, WeightNormIsComputedOnceAndTheRestApplies) {
  Fused fused(weight_normed("conv", {4, 3, 3, 3}) + batch_norm("bn", 4),
              kNormedConv + "  return torch.relu(" + batch_norm_call("y", "bn") + ")\n");
  EXPECT_EQ(fused.fired(kConstantWeight), 1) << fused.reasons();
  EXPECT_EQ(fused.fired("conv+bn+relu"), 1);
  test::FileCheck().check_not("_weight_norm")->check_not("batch_norm")->run(fused.graph());
  EXPECT_EQ(fused.state_dict_names(), (std::vector<std::string>{"conv.bias", "conv.weight"}));
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

TEST(ConstantWeight, AloneItChangesNoBit) {
  Fused fused(weight_normed("conv", {4, 3, 3, 3}), kNormedConv + "  return y\n");
  EXPECT_EQ(fused.fired(kConstantWeight), 1);
  EXPECT_EQ(to_text(fused.fusion.entries.at(0).reason), "computed once, of conv.weight_g, conv.weight_v");
  EXPECT_TRUE(fused.module.attr("conv").toModule().attr("weight").toTensor().requires_grad() ||
              !fused.original.attr("conv").toModule().attr("weight_v").toTensor().requires_grad());
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

TEST(ConstantWeight, SpectralNormOfALinear) {
  const Tensors tensors{{"fc.weight_orig", torch::randn({5, 4})},
                        {"fc.weight_u", torch::randn({5})},
                        {"fc.weight_v", torch::randn({4})},
                        {"fc.bias", torch::randn({5})}};
  Fused fused(tensors,
              "  m = self.fc.weight_orig.flatten(1)\n"
              "  sigma = torch.dot(self.fc.weight_u.clone(), torch.mv(m, self.fc.weight_v.clone()))\n"
              "  return torch.linear(x, self.fc.weight_orig / sigma, self.fc.bias)\n");
  EXPECT_EQ(fused.fired(kConstantWeight), 1) << fused.reasons();
  EXPECT_EQ(fused.state_dict_names(), (std::vector<std::string>{"fc.bias", "fc.weight"}));
  EXPECT_EQ(fused.error({3, 4}), 0);
}

TEST(ConstantWeight, ALayerCalledTwiceHasOneWeight) {
  Fused fused(weight_normed("conv", {3, 3, 3, 3}),
              kNormedConv + "  x = torch.sigmoid(y)\n" + kNormedConv + "  return y\n");
  EXPECT_EQ(fused.fired(kConstantWeight), 2);
  EXPECT_EQ(fused.state_dict_names(), (std::vector<std::string>{"conv.bias", "conv.weight"}));
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

TEST(ConstantWeight, WhatSomethingElseReadsStays) {
  Fused fused(weight_normed("conv", {3, 3, 3, 3}), kNormedConv + "  return y * self.conv.weight_g.sum()\n");
  EXPECT_EQ(fused.fired(kConstantWeight), 1);
  EXPECT_EQ(fused.state_dict_names(), (std::vector<std::string>{"conv.bias", "conv.weight", "conv.weight_g"}));
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

TEST(ConstantWeight, ABiasAndATransposedConvolutionToo) {
  Tensors tensors = weight_normed("conv", {3, 4, 3, 3});
  tensors.erase("conv.bias");
  tensors["conv.shift"] = torch::randn({4});
  Fused fused(tensors, kNormed + "  return torch.conv_transpose2d(x, w, self.conv.shift * 2)\n");
  EXPECT_EQ(fused.fired(kConstantWeight), 1) << fused.reasons();
  EXPECT_EQ(fused.state_dict_names(), (std::vector<std::string>{"conv.bias", "conv.weight"}));
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

struct WeightRefusal {
  const char* name;
  std::string weight;
  ReasonCode code;
};

void PrintTo(const WeightRefusal& given, std::ostream* out) { *out << given.name; }

class ConstantWeightRefusal : public testing::TestWithParam<WeightRefusal> {};

TEST_P(ConstantWeightRefusal, LeavesTheGraphAsItWas) {
  Fused fused(weight_normed("conv", {4, 3, 3, 3}) + Tensors{{"conv.small", torch::randn({4, 1, 1, 1})}},
              "  w = " + GetParam().weight + "\n  return torch.conv2d(x, w, None, [1, 1], [1, 1])\n");
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_TRUE(fused.declined_for(GetParam().code)) << fused.reasons();
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, ConstantWeightRefusal,
    testing::Values(
        WeightRefusal{"of_an_input", "self.conv.weight_v * x.mean()", ReasonCode::depends_on_input},
        WeightRefusal{"of_state", "self.conv.weight_v * self.conv.weight_g\n  self.conv.weight_g.mul_(2)",
                      ReasonCode::depends_on_state},
        WeightRefusal{"random", "self.conv.weight_v + torch.randn([4, 3, 3, 3])", ReasonCode::not_a_function},
        WeightRefusal{"dropout", "torch.dropout(self.conv.weight_v, 0.5, True)", ReasonCode::not_a_function},
        WeightRefusal{"memory_as_it_is", "torch.empty_like(self.conv.weight_v)", ReasonCode::not_a_function},
        WeightRefusal{"in_a_branch", "self.conv.weight_v\n  if bool(x.sum() > 0):\n    w = w * 2",
                      ReasonCode::not_a_function},
        WeightRefusal{"large", "self.conv.small.expand([4, 3, 3, 3]) * 2", ReasonCode::weight_would_grow}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ConstantWeight, AViewOfAWeightThatIsReadElsewhereIsNotCopied) {
  const Tensors tensors{{"fc.weight", torch::randn({4, 4})}};
  Fused fused(tensors, "  return torch.linear(x, self.fc.weight.t()) + torch.linear(x, self.fc.weight)\n");
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.declined_for(ReasonCode::view_of_shared_weight)) << fused.reasons();
  EXPECT_EQ(fused.error({3, 4}), 0);
}

}  // namespace
}  // namespace fusekit
