#include <torch/version.h>

#include "rewrite/fixture.h"
#include "support/module.h"

// Refusals of conv+bn: each leaves the graph as it was and says why.

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

struct Refusal {
  const char* name;
  std::string body;
  ReasonCode code;
  const char* reason;
};

void PrintTo(const Refusal& given, std::ostream* out) { *out << given.name; }

class ConvBnRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(ConvBnRefusal, LeavesTheGraphAsItWas) {
  Fused fused(layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3) + batch_norm("bn2", 3), GetParam().body);
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_TRUE(fused.declined_for(GetParam().code)) << fused.reasons();
  EXPECT_NE(fused.reasons().find(GetParam().reason), std::string::npos) << fused.reasons();
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

const std::string kY = std::string("  y = ") + kConv2d + "\n";

INSTANTIATE_TEST_SUITE_P(
    Reasons, ConvBnRefusal,
    testing::Values(
        Refusal{"batch_statistics", kY + "  return " + batch_norm_call("y", "bn", "True") + "\n",
                ReasonCode::batch_statistics, "uses batch statistics (it was saved in training mode)"},
        Refusal{"decided_at_run_time", kY + "  return " + batch_norm_call("y", "bn", "x.size(0) > 100") + "\n",
                ReasonCode::training_unknown, "is decided at run time"},
        Refusal{"no_running_statistics",
                kY + "  return torch.batch_norm(y, self.bn.weight, self.bn.bias, None, None, True, 0.1, 1e-5, True)\n",
                ReasonCode::no_running_statistics, "no running statistics"},
        Refusal{"another_reader", kY + "  return " + batch_norm_call("y", "bn") + " + y\n", ReasonCode::read_by_another,
                "aten::add reads what"},
        Refusal{"two_batch_norms",
                kY + "  return " + batch_norm_call("y", "bn") + " * " + batch_norm_call("y", "bn2") + "\n",
                ReasonCode::two_batch_norms, "two BatchNorms read"},
        Refusal{"a_write_between",
                kY + "  v = y.view([-1])\n  y.mul_(2)\n  return " + batch_norm_call("y", "bn") + " + v.sum()\n",
                ReasonCode::written_by_another, "aten::mul_ writes what it computes in place"},
        Refusal{"computed_weight",
                "  y = torch.conv2d(x, self.conv.weight * x.size(0))\n  return " + batch_norm_call("y", "bn") + "\n",
                ReasonCode::is_computed, "its weight is computed by aten::mul"},
        Refusal{"returned_too", kY + "  z = " + batch_norm_call("y", "bn") + "\n  return torch.stack([z, y])\n",
                ReasonCode::read_by_another, "reads what it computes"},
        Refusal{"written_running_mean",
                "  self.bn.running_mean.add_(1)\n" + kY + "  return " + batch_norm_call("y", "bn") + "\n",
                ReasonCode::written_by_method, "running_mean is written by a method"},
        Refusal{"written_weight", "  self.conv.weight.mul_(2)\n" + kY + "  return " + batch_norm_call("y", "bn") + "\n",
                ReasonCode::written_by_method, "its weight weight is written by a method"},
        Refusal{"written_through_a_view",
                "  self.conv.weight[0].mul_(2)\n" + kY + "  return " + batch_norm_call("y", "bn") + "\n",
                ReasonCode::written_by_method, "is written by a method"},
        Refusal{"in_a_loop",
                kY + "  for i in range(2):\n    z = " + batch_norm_call("y", "bn") +
                    "\n    z.mul_(2)\n    x = x + z\n  return x\n",
                ReasonCode::several_blocks, "different branches or loops"}),
    [](const auto& info) { return info.param.name; });

TEST(ConvBn, AReasonThatIsToldOfALongerSiteIsNotToldAgain) {
  const Fused fused(layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3),
                    kY + "  return torch.relu(" + batch_norm_call("y", "bn", "True") + ")\n");
  std::vector<std::string> rules;
  for (const FusionSite& entry : fused.fusion.entries) rules.push_back(entry.rule);
  EXPECT_EQ(rules, (std::vector<std::string>{"conv+bn+relu", "bn+relu"}));
}

TEST(ConvBn, VarianceThatIsNotPositiveIsLeft) {
  for (const double var : {-1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    Tensors tensors = layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3);
    tensors["bn.running_var"][1] = var;
    Fused fused(tensors, conv_bn(kConv2d));
    EXPECT_EQ(fused.fired(), 0);
    EXPECT_EQ(fused.reasons(), "the BatchNorm's var + eps is not positive and finite\n");
    EXPECT_TRUE(fused.is_unchanged());
  }
}

TEST(ConvBn, AVarianceOfZeroIsPositiveWithItsEps) {
  Tensors tensors = layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3);
  tensors["bn.running_var"][1] = 0;
  EXPECT_EQ(Fused(tensors, conv_bn(kConv2d)).fired("conv+bn"), 1);
}

TEST(ConvBn, AFoldThatLeavesTheFiniteRangeIsLeft) {
  Tensors tensors = layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3);
  tensors["conv.weight"].fill_(1e30);
  tensors["bn.weight"].fill_(1e30);
  Fused fused(tensors, conv_bn(kConv2d));
  EXPECT_EQ(fused.reasons(), "the folded weights leave the finite range of Float\n");
  EXPECT_TRUE(fused.is_unchanged());
}

#if TORCH_VERSION_MAJOR >= 2
/// float8 is a type to store: LibTorch does not reckon with it.
TEST(ConvBn, WeightsInATypeToStoreAreLeft) {
  Tensors tensors = layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3);
  tensors["conv.weight"] = tensors["conv.weight"].detach().to(at::kFloat8_e4m3fn);
  Fused fused(tensors, conv_bn(kConv2d));
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.declined_for(ReasonCode::not_floating_point)) << fused.reasons();
  EXPECT_TRUE(fused.is_unchanged());
}
#endif

TEST(ConvBn, AWriteByAnotherMethodCounts) {
  auto module = test::make_module("Net", layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3),
                                  "def forward(self, x):\n" + conv_bn(kConv2d) +
                                      "def update(self, x):\n  self.bn.running_mean.add_(x)\n  return x\n");
  Fused fused(module);
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_NE(fused.reasons().find("running_mean is written by a method"), std::string::npos);
}

TEST(ConvBn, BatchStatisticsInAnotherMethodAreAWrite) {
  const std::string statistics =
      "self.bn.weight, self.bn.bias, self.bn.running_mean, self.bn.running_var, True, 0.1, 1e-5";
  for (const std::string& call :
       {"torch.batch_norm(x, " + statistics + ", True)", "torch._batch_norm_impl_index(x, " + statistics + ", True)[0]",
        "torch.native_batch_norm(x, " + statistics + ")[0]", "torch.instance_norm(x, " + statistics + ", True)"}) {
    const Fused fused(test::make_module(
        "Net", layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3),
        "def forward(self, x):\n" + conv_bn(kConv2d) + "def learn(self, x):\n  return " + call + "\n"));
    EXPECT_EQ(fused.fired(), 0) << call;
    EXPECT_TRUE(fused.declined_for(ReasonCode::written_by_method)) << fused.reasons();
  }
}

TEST(ConvBn, AWeightOfAModuleThatPacksItsStateIsLeft) {
  torch::jit::Module packs("__torch__.test.Packs");
  packs.register_attribute("weight", c10::TensorType::get(), torch::randn({3, 3, 3, 3}));
  packs.define(
      "def __getstate__(self):\n  return self.weight\n"
      "def __setstate__(self, state: Tensor) -> None:\n  self.weight = state\n");
  torch::jit::Module module = test::make_module("Net", batch_norm("bn", 3), "");
  module.register_module("conv", packs);
  module.define("def forward(self, x):\n  y = torch.conv2d(x, self.conv.weight)\n  return " +
                batch_norm_call("y", "bn") + "\n");
  Fused fused(module);
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

TEST(ConvBn, AWriteThroughAnotherNameOfTheStorageCounts) {
  Tensors tensors = layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3);
  tensors["other.buffer"] = tensors["conv.weight"].view({-1}).detach();
  Fused fused(tensors, "  self.other.buffer.mul_(2)\n" + conv_bn(kConv2d));
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

}  // namespace
}  // namespace fusekit
