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

const char* const kLinearPermuteBn = "linear+permute+bn";

struct Permuted {
  const char* name;
  const char* there;
  const char* back;
  std::vector<std::int64_t> input;
};

void PrintTo(const Permuted& given, std::ostream* out) { *out << given.name; }

std::string body_of(const std::string& there, const std::string& back) {
  return "  y = torch.linear(x, self.fc.weight, self.fc.bias)." + there + "\n  z = " + batch_norm_call("y", "bn") +
         back + "\n  return torch.sigmoid(z)\n";
}

class LinearPermuteBn : public testing::TestWithParam<Permuted> {};

TEST_P(LinearPermuteBn, FoldsAndTheTwoPermutationsGo) {
  Fused fused(layer("fc", {5, 4}) + batch_norm("bn", 5), body_of(GetParam().there, GetParam().back));
  EXPECT_EQ(fused.fired(kLinearPermuteBn), 1) << fused.reasons();
  test::FileCheck().check_not("batch_norm")->check("aten::linear")->check_not("transpose")->run(fused.graph());
  EXPECT_LT(fused.error(GetParam().input), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Spellings, LinearPermuteBn,
                         testing::Values(Permuted{"transpose", "transpose(1, 2)", ".transpose(1, 2)", {2, 3, 4}},
                                         Permuted{"backwards", "transpose(-1, -2)", ".transpose(-2, -1)", {2, 3, 4}},
                                         Permuted{"permute", "permute([0, 2, 1])", ".permute([0, 2, 1])", {2, 3, 4}},
                                         Permuted{"mixed", "transpose(1, 2)", ".permute([0, 2, 1])", {2, 3, 4}},
                                         Permuted{
                                             "four_d", "permute([0, 3, 1, 2])", ".permute([0, 2, 3, 1])", {2, 3, 6, 4}},
                                         Permuted{"any_rank", "transpose(1, -1)", ".transpose(-1, 1)", {2, 3, 6, 4}}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(LinearPermuteBn, ARankThatIsNotProvenIsInsistedOn) {
  // (N, A, B, C) with B == C: the BatchNorm would normalize B.
  Fused fused(layer("fc", {5, 4}) + batch_norm("bn", 5), body_of("transpose(1, 2)", ".transpose(1, 2)"));
  EXPECT_EQ(fused.fusion.entries.at(0).reason.code, ReasonCode::insists_on_rank);
  EXPECT_NO_THROW(fused.original.forward({torch::randn({2, 3, 5, 4})}));
  EXPECT_ANY_THROW(fused.module.forward({torch::randn({2, 3, 5, 4})}));
}

TEST(LinearPermuteBn, WhatIsReadInTheOtherOrderIsLaidOutAsItWas) {
  // view wants what the BatchNorm gave: memory in the order of its dimensions.
  for (const char* back : {".view([-1])", ".transpose(0, 1)"}) {
    Fused fused(layer("fc", {5, 4}) + batch_norm("bn", 5), body_of("transpose(1, 2)", back));
    EXPECT_EQ(fused.fired(kLinearPermuteBn), 1);
    test::FileCheck().check("aten::transpose")->check("aten::contiguous")->run(fused.graph());
    EXPECT_LT(fused.error({2, 3, 4}), 1e-5);
  }
}

TEST(LinearPermuteBn, ChannelsLastStaysChannelsLast) {
  Fused fused(layer("fc", {5, 4}) + batch_norm("bn", 5),
              "  y = torch.linear(x, self.fc.weight, self.fc.bias).permute([0, 3, 1, 2])\n  return " +
                  batch_norm_call("y", "bn") + "\n");
  EXPECT_EQ(fused.fired("linear+permute+bn"), 1);
  test::FileCheck().check_not("aten::contiguous")->run(fused.graph());
  EXPECT_LT(fused.error({2, 3, 6, 4}), 1e-5);
  const at::Tensor input = torch::randn({2, 3, 6, 4});
  EXPECT_EQ(fused.module.forward({input}).toTensor().strides(), fused.original.forward({input}).toTensor().strides());
}

TEST(LinearPermuteBn, TheActivationBehindItJoinsTheLinear) {
  Fused fused(layer("fc", {5, 4}) + batch_norm("bn", 5),
              "  y = torch.linear(x, self.fc.weight, self.fc.bias).transpose(1, 2)\n  return torch.relu(" +
                  batch_norm_call("y", "bn") + ".transpose(1, 2))\n");
  EXPECT_EQ(fused.fired(kLinearPermuteBn), 1);
  EXPECT_EQ(fused.fired("linear+relu"), 1);
  EXPECT_LT(fused.error({2, 3, 4}), 1e-5);
}

TEST(LinearPermuteBn, ACheckOfTheRankFallsAndKeepsNothingApart) {
  Fused fused(layer("fc", {5, 4}) + batch_norm("bn", 5),
              "  y = torch.linear(x, self.fc.weight, self.fc.bias).transpose(1, 2)\n"
              "  assert y.dim() == 2 or y.dim() == 3, 'expected 2D or 3D input'\n"
              "  return torch.relu(" +
                  batch_norm_call("y", "bn") + ".transpose(1, 2))\n");
  EXPECT_EQ(fused.fired("linear+permute+bn"), 1);
  EXPECT_EQ(fused.fired("linear+relu"), 1) << fused.reasons();
  test::FileCheck().check_not("transpose")->check_not("RaiseException")->run(fused.graph());
  EXPECT_LT(fused.error({2, 3, 4}), 1e-5);
  EXPECT_ANY_THROW(fused.module.forward({torch::randn({2, 3, 5, 4})}));
}

struct PermuteRefusal {
  const char* name;
  std::string body;
  ReasonCode code;
  std::vector<std::int64_t> input;
};

void PrintTo(const PermuteRefusal& given, std::ostream* out) { *out << given.name; }

class LinearPermuteBnRefusal : public testing::TestWithParam<PermuteRefusal> {};

TEST_P(LinearPermuteBnRefusal, LeavesTheGraphAsItWas) {
  Fused fused(layer("fc", {5, 4}) + batch_norm("bn", 5), GetParam().body);
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_TRUE(fused.declined_for(GetParam().code)) << fused.reasons();
  EXPECT_EQ(fused.error(GetParam().input), 0);
}

const std::string kTransposed = "  y = torch.linear(x, self.fc.weight, self.fc.bias)\n  p = y.transpose(1, 2)\n";

INSTANTIATE_TEST_SUITE_P(
    Reasons, LinearPermuteBnRefusal,
    testing::Values(PermuteRefusal{"another_dimension",
                                   body_of("permute([0, 1, 2])", ""),
                                   ReasonCode::normalizes_other_dimension,
                                   {2, 5, 4}},
                    PermuteRefusal{"four_dimensions",
                                   "  x = x.view([2, 3, 5, 4])\n" + body_of("transpose(1, 2)", ""),
                                   ReasonCode::normalizes_other_dimension,
                                   {2, 3, 5, 4}},
                    PermuteRefusal{"another_reader",
                                   kTransposed + "  return " + batch_norm_call("p", "bn") + ".transpose(1, 2) + y\n",
                                   ReasonCode::read_by_another,
                                   {2, 3, 4}},
                    PermuteRefusal{"another_reader_of_the_permuted",
                                   kTransposed + "  return " + batch_norm_call("p", "bn") + " + p\n",
                                   ReasonCode::read_by_another,
                                   {2, 3, 4}},
                    PermuteRefusal{"batch_statistics",
                                   kTransposed + "  return " + batch_norm_call("p", "bn", "True") + "\n",
                                   ReasonCode::batch_statistics,
                                   {2, 3, 4}},
                    PermuteRefusal{"in_a_loop",
                                   kTransposed + "  for i in range(2):\n    z = " + batch_norm_call("p", "bn") +
                                       "\n    x = x + z.sum()\n  return x\n",
                                   ReasonCode::several_blocks,
                                   {2, 3, 4}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(LinearPermuteBn, TheUsersDimensionsCount) {
  FuseOptions options;
  options.inputs.dims = {{2, 3, 5, 4}};
  const Fused fused(layer("fc", {5, 4}) + batch_norm("bn", 5), body_of("transpose(1, 2)", ""), options);
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.declined_for(ReasonCode::rank_by_inputs)) << fused.reasons();
}

}  // namespace
}  // namespace fusekit
