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

const std::string kConv = "torch.conv2d(x, self.conv.weight, self.conv.bias, [1, 1], [1, 1])";

// conv_transpose+bn

struct Transposed {
  const char* name;
  std::vector<std::int64_t> weight;  // (in, out/groups, ...)
  int groups;
  std::vector<std::int64_t> input;
  const char* call;
};

void PrintTo(const Transposed& given, std::ostream* out) { *out << given.name; }

class ConvTransposeBn : public testing::TestWithParam<Transposed> {};

TEST_P(ConvTransposeBn, FoldsAlongDimensionOneOfEachGroup) {
  const Transposed& given = GetParam();
  const std::int64_t channels = given.weight[1] * given.groups;
  Tensors tensors{{"conv.weight", torch::randn(given.weight)}, {"conv.bias", torch::randn({channels})}};
  Fused fused(tensors + batch_norm("bn", channels),
              std::string("  y = ") + given.call + "\n  return " + batch_norm_call("y", "bn") + "\n");
  EXPECT_EQ(fused.fired("conv_transpose+bn"), 1);
  EXPECT_EQ(fused.fired(), 1);
  test::FileCheck().check("conv")->check_not("batch_norm")->run(fused.graph());
  EXPECT_LT(fused.error(given.input), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, ConvTransposeBn,
    testing::Values(
        Transposed{"one_d", {3, 4, 3}, 1, {2, 3, 9}, "torch.conv_transpose1d(x, self.conv.weight, self.conv.bias)"},
        Transposed{
            "two_d", {3, 4, 3, 3}, 1, {2, 3, 9, 9}, "torch.conv_transpose2d(x, self.conv.weight, self.conv.bias)"},
        Transposed{"three_d",
                   {3, 4, 3, 3, 3},
                   1,
                   {2, 3, 4, 4, 4},
                   "torch.conv_transpose3d(x, self.conv.weight, self.conv.bias)"},
        Transposed{"groups",
                   {4, 3, 3, 3},
                   2,
                   {2, 4, 9, 9},
                   "torch.conv_transpose2d(x, self.conv.weight, self.conv.bias, [2, 2], [1, 1], [1, 1], 2, [1, 1])"},
        Transposed{"traced",
                   {4, 3, 3, 3},
                   2,
                   {2, 4, 9, 9},
                   "torch._convolution(x, self.conv.weight, self.conv.bias, [2, 2], [1, 1], [1, 1], True, [1, 1], 2, "
                   "False, False, True, True)"}),
    [](const auto& info) { return info.param.name; });

TEST(ConvTransposeBn, ASecondReaderIsARefusal) {
  Fused fused(Tensors{{"conv.weight", torch::randn({3, 4, 3, 3})}} + batch_norm("bn", 4),
              "  y = torch.conv_transpose2d(x, self.conv.weight)\n  return " + batch_norm_call("y", "bn") + " + y\n");
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

// conv+bn+relu

class ConvBnRelu : public testing::TestWithParam<const char*> {};

TEST_P(ConvBnRelu, FoldsAndMakesTheReluWorkInPlace) {
  Fused fused(layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3),
              "  y = " + kConv + "\n  z = " + batch_norm_call("y", "bn") + "\n  return " + GetParam() + "\n");
  EXPECT_EQ(fused.fired("conv+bn+relu"), 1);
  EXPECT_EQ(fused.fired(), 1);
  test::FileCheck().check("aten::_convolution")->check_not("batch_norm")->check("aten::relu_(")->run(fused.graph());
  EXPECT_EQ(fused.groups, (std::vector<std::vector<std::string>>{{"aten::_convolution", "aten::relu"}}));
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Spellings, ConvBnRelu, testing::Values("torch.relu(z)", "torch.relu_(z)", "z.relu()"),
                         [](const auto& info) { return "spelling_" + std::to_string(info.index); });

TEST(ConvBnRelu, AReaderBetweenBatchNormAndReluLeavesConvBn) {
  Fused fused(layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3),
              "  y = " + kConv + "\n  z = " + batch_norm_call("y", "bn") + "\n  return torch.relu(z) + z\n");
  EXPECT_EQ(fused.fired("conv+bn+relu"), 0);
  EXPECT_EQ(fused.fired("conv+bn"), 1);
  test::FileCheck().check_not("relu_")->check("aten::relu(")->run(fused.graph());
  EXPECT_NE(fused.reasons().find("aten::add reads what it computes"), std::string::npos) << fused.reasons();
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

// conv+relu and linear+relu

TEST(ConvRelu, MakesTheReluWorkInPlace) {
  Fused fused(layer("conv", {3, 3, 3, 3}), "  return torch.relu(" + kConv + ")\n");
  EXPECT_EQ(fused.fired("conv+relu"), 1);
  test::FileCheck().check("aten::conv2d")->check("aten::relu_(")->run(fused.graph());
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

TEST(ConvRelu, AReluThatWorksInPlaceAlreadyIsOnlyNoted) {
  const Fused in_place(layer("conv", {3, 3, 3, 3}), "  return torch.relu_(" + kConv + ")\n");
  EXPECT_EQ(in_place.fired("conv+relu"), 1);
  EXPECT_TRUE(in_place.fusion.entries.at(0).as_found);
  EXPECT_TRUE(in_place.is_unchanged());
  const Fused made(layer("conv", {3, 3, 3, 3}), "  return torch.relu(" + kConv + ")\n");
  EXPECT_FALSE(made.fusion.entries.at(0).as_found);
}

TEST(ConvRelu, EachPlaceIsAGroupOfItsOwn) {
  const Fused fused(layer("conv", {3, 3, 3, 3}) + layer("fc", {5, 9}),
                    "  y = torch.relu(" + kConv + ")\n  return torch.relu(torch.linear(y, self.fc.weight))\n");
  EXPECT_EQ(fused.groups,
            (std::vector<std::vector<std::string>>{{"aten::conv2d", "aten::relu"}, {"aten::linear", "aten::relu"}}));
}

TEST(ConvRelu, AnotherReaderSeesWhatItSaw) {
  Fused fused(layer("conv", {3, 3, 3, 3}), "  y = " + kConv + "\n  return torch.relu(y) - y\n");
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_EQ(fused.reasons(), "aten::sub reads what it computes, too\n");
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

TEST(LinearRelu, MakesTheReluWorkInPlace) {
  for (const char* call :
       {"torch.linear(x, self.fc.weight, self.fc.bias)", "torch.addmm(self.fc.bias, x, torch.t(self.fc.weight))"}) {
    Fused fused(layer("fc", {5, 4}), std::string("  return torch.relu(") + call + ")\n");
    EXPECT_EQ(fused.fired("linear+relu"), 1) << call;
    test::FileCheck().check("aten::relu_(")->run(fused.graph());
    EXPECT_EQ(fused.error({3, 4}), 0);
  }
}

TEST(LinearRelu, AnotherReaderIsARefusal) {
  Fused fused(layer("fc", {5, 4}), "  y = torch.linear(x, self.fc.weight, self.fc.bias)\n  return torch.relu(y) - y\n");
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_EQ(fused.error({3, 4}), 0);
}

// bn+relu

TEST(BnRelu, MakesTheReluWorkInPlaceWhereNoConvolutionCanTakeTheBatchNorm) {
  Fused fused(batch_norm("bn", 3), "  return torch.relu(" + batch_norm_call("x", "bn") + ")\n");
  EXPECT_EQ(fused.fired("bn+relu"), 1);
  test::FileCheck().check("aten::batch_norm")->check("aten::relu_(")->run(fused.graph());
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

TEST(BnRelu, BatchStatisticsAreARefusal) {
  Fused fused(batch_norm("bn", 3), "  return torch.relu(" + batch_norm_call("x", "bn", "True") + ")\n");
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_EQ(fused.error({2, 3, 9, 9}), 0);
}

// linear+bn

const std::string kLinearBn =
    "  y = torch.linear(x, self.fc.weight, self.fc.bias)\n  return " + batch_norm_call("y", "bn") + "\n";

TEST(LinearBn, FoldsWhereTheRankIsProven) {
  Fused fused(layer("fc", {5, 12}) + batch_norm("bn", 5), "  x = torch.flatten(x, 1, -1)\n" + kLinearBn);
  EXPECT_EQ(fused.fired("linear+bn"), 1);
  test::FileCheck().check("aten::linear")->check_not("batch_norm")->run(fused.graph());
  EXPECT_LT(fused.error({2, 3, 4}), 1e-5);
}

TEST(LinearBn, FoldsTheAddmmOfOldTraces) {
  Fused fused(
      layer("fc", {5, 4}) + batch_norm("bn", 5),
      "  y = torch.addmm(self.fc.bias, x, torch.t(self.fc.weight))\n  return " + batch_norm_call("y", "bn") + "\n");
  EXPECT_EQ(fused.fired("linear+bn"), 1);
  test::FileCheck().check("aten::addmm")->check_not("batch_norm")->run(fused.graph());
  EXPECT_LT(fused.error({3, 4}), 1e-5);
}

TEST(LinearBn, AnAddmmThatIsNoLinearIsLeft) {
  for (const char* call : {"torch.addmm(self.fc.bias, x, torch.t(self.fc.weight), beta=0.5)",
                           "torch.addmm(self.fc.bias, x, torch.t(self.fc.weight), alpha=2)",
                           "torch.addmm(self.fc.bias, x, torch.transpose(self.fc.weight, 0, 0))"}) {
    Fused fused(layer("fc", {4, 4}) + batch_norm("bn", 4),
                std::string("  y = ") + call + "\n  return " + batch_norm_call("y", "bn") + "\n");
    EXPECT_EQ(fused.fired(), 0) << call;
    EXPECT_EQ(fused.error({3, 4}), 0) << call;
  }
}

// Data that has two dimensions somewhere else, or may have more.
TEST(LinearBn, ARankThatIsNotProvenIsARefusal) {
  for (const char* before : {"  x = torch.flatten(x, 2, -1)\n", "  x = torch.flatten(x, 1, -1)\n  x.unsqueeze_(0)\n",
                             "  if bool(x.sum() > 0):\n    x = torch.flatten(x, 1, -1)\n"}) {
    const Fused fused(layer("fc", {5, 12}) + batch_norm("bn", 5), before + kLinearBn);
    EXPECT_EQ(fused.fired(), 0) << before;
    EXPECT_TRUE(fused.declined_for(ReasonCode::rank_unknown)) << before << fused.reasons();
  }
}

TEST(LinearBn, ASumHasTheLargerRank) {
  Fused fused(layer("fc", {5, 12}) + batch_norm("bn", 5) + Tensors{{"shift.weight", torch::randn({2, 5, 12})}},
              "  x = torch.flatten(x, 1, -1) + self.shift.weight\n" + kLinearBn);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_TRUE(fused.declined_for(ReasonCode::normalizes_dimension_one)) << fused.reasons();
  EXPECT_EQ(fused.error({5, 3, 4}), 0);
}

TEST(LinearBn, WithoutABiasGetsOne) {
  Fused fused(layer("fc", {5, 12}, false) + batch_norm("bn", 5),
              "  x = torch.flatten(x, 1, -1)\n  y = torch.linear(x, self.fc.weight, None)\n  return " +
                  batch_norm_call("y", "bn") + "\n");
  EXPECT_EQ(fused.fired("linear+bn"), 1);
  EXPECT_EQ(fused.state_dict_names(), (std::vector<std::string>{"fc.bias", "fc.weight"}));
  EXPECT_LT(fused.error({2, 3, 4}), 1e-5);
}

TEST(LinearBn, TheUsersTwoDimensionsCountAndAreChecked) {
  FuseOptions options;
  options.inputs.dims = {{7, 4}};
  Fused fused(layer("fc", {5, 4}) + batch_norm("bn", 5), kLinearBn, options);
  EXPECT_EQ(fused.fired("linear+bn"), 1);
  EXPECT_LT(fused.error({3, 4}), 1e-5);
  EXPECT_ANY_THROW(fused.module.forward({torch::randn({2, 5, 4})}));
}

TEST(LinearBn, ThreeDimensionsAreARefusal) {
  FuseOptions options;
  options.inputs.dims = {{2, 5, 4}};
  Fused fused(layer("fc", {5, 4}) + batch_norm("bn", 5), kLinearBn, options);
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_EQ(fused.reasons(), "its data has 3 dimensions by the inputs that were given\n");
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_EQ(fused.error({2, 5, 4}), 0);
}

// What stands between a convolution and a linear: with the user's dimensions the rank is always known.
TEST(LinearBn, TheUsersDimensionsGoThroughEveryOperator) {
  FuseOptions options;
  options.inputs.dims = {{2, 3, 8, 8}};
  for (const char* between :
       {"y.mean([2, 3])", "y.mean(3).mean(2)", "y.amax([2, 3])", "y.select(3, 0).select(2, 0)", "y[:, :, 0, 0]",
        "torch.max(torch.max(y, 3)[0], 2)[0]", "torch.adaptive_avg_pool2d(y, [1, 1]).squeeze(3).squeeze(2)",
        "torch.adaptive_avg_pool2d(y, [1, 1]).squeeze()", "y.mean([2, 3], True).squeeze(-1).squeeze(-1)",
        "torch.stack([y, y]).sum(0).sum(3).sum(2)", "y.reshape(y.shape[:2] + [-1]).mean(2)",
        "torch.einsum(\"bchw->bc\", [y])", "y.flatten(2).transpose(1, 2).logsumexp(1)",
        "torch.matmul(y, self.v.weight).mean(2)"}) {
    Fused fused(layer("conv", {4, 3, 3, 3}) + layer("fc", {5, 4}) + batch_norm("bn", 5) +
                    Tensors{{"v.weight", torch::randn({8})}},
                "  y = torch.relu(" + kConv + ")\n  y = " + between +
                    "\n  y = torch.linear(y, self.fc.weight, self.fc.bias)\n  return " + batch_norm_call("y", "bn") +
                    "\n",
                options);
    EXPECT_EQ(fused.fired("linear+bn"), 1) << between << ": " << fused.reasons();
    EXPECT_LT(fused.error({3, 3, 8, 8}), 1e-5) << between;
  }
}

TEST(LinearBn, ARankThatRunsShowIsInsistedOn) {
  // How many dimensions squeeze leaves depends on sizes: the run on the user's inputs tells, and the file insists.
  FuseOptions options;
  options.inputs.dims = {{4, 1, 6}};
  const std::string body =
      "  y = torch.linear(x.squeeze(), self.fc.weight, self.fc.bias)\n  return " + batch_norm_call("y", "bn") + "\n";
  Fused fused(layer("fc", {5, 6}) + batch_norm("bn", 5), body, options);
  EXPECT_EQ(fused.fired("linear+bn"), 1) << fused.reasons();
  EXPECT_EQ(fused.fusion.entries.at(0).reason.code, ReasonCode::insists_on_rank);
  EXPECT_LT(fused.error({3, 1, 6}), 1e-5);
  EXPECT_ANY_THROW(fused.module.forward({torch::randn({3, 5, 6})}));
  options.inputs.dims = {{4, 5, 6}};
  const Fused left(layer("fc", {5, 6}) + batch_norm("bn", 5), body, options);
  EXPECT_TRUE(left.is_unchanged());
  EXPECT_TRUE(left.declined_for(ReasonCode::rank_by_inputs)) << left.reasons();
}

TEST(LinearBn, BranchesThatAskForTheRankStay) {
  // As torch.nn.functional.linear was written: what addmm reads is 2-D only where it runs.
  const std::string both =
      "  if x.dim() == 2:\n    y = torch.addmm(self.fc.bias, x, self.fc.weight.t())\n  else:\n"
      "    y = x.matmul(self.fc.weight.t()) + self.fc.bias\n  return y\n";
  Fused fused(layer("fc", {5, 4}), both);
  EXPECT_EQ(fused.error({2, 3, 4}), 0);
  EXPECT_EQ(fused.error({3, 4}), 0);
}

TEST(ConvBnRank, AConvolutionOnUnbatchedDataByTheUsersInputsIsLeft) {
  FuseOptions options;
  options.inputs.dims = {{3, 3, 5}};
  Fused fused(layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3),
              "  y = " + kConv + "\n  return " + batch_norm_call("y", "bn") + "\n", options);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_TRUE(fused.declined_for(ReasonCode::rank_by_inputs)) << fused.reasons();
  EXPECT_EQ(fused.error({3, 3, 5}), 0);
}

TEST(ConvBnRank, NumbersBeforeTheTensorDoNotShiftTheShapes) {
  FuseOptions options;
  options.inputs.dims = {{3, 3, 5}};
  const auto module = test::make_module(
      "Net", layer("conv", {3, 3, 3, 3}) + batch_norm("bn", 3),
      "def forward(self, n: int, x):\n  y = " + kConv + "\n  return " + batch_norm_call("y", "bn") + " * n\n");
  const Fused fused(module, options);
  EXPECT_TRUE(fused.declined_for(ReasonCode::rank_by_inputs)) << fused.reasons();
}

}  // namespace
}  // namespace fusekit
