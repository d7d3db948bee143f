// pad+conv: a zero padding becomes the convolution's own.
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

std::string padded(const std::string& counts, const std::string& convolution, const std::string& value = "0.") {
  return "  p = torch.constant_pad_nd(x, " + counts + ", " + value + ")\n  return " + convolution + "\n";
}

const std::string kPaddedConv = "torch.conv2d(p, self.conv.weight, self.conv.bias, [2, 1], [1, 0], [1, 1], 1)";

struct PaddedSpelling {
  const char* name;
  std::string body;
};

void PrintTo(const PaddedSpelling& given, std::ostream* out) { *out << given.name; }

class PadConv : public testing::TestWithParam<PaddedSpelling> {};

TEST_P(PadConv, TheConvolutionPadsByItself) {
  Fused fused(layer("conv", {4, 3, 3, 3}), GetParam().body);
  EXPECT_EQ(fused.fired("pad+conv"), 1);
  test::FileCheck().check_not("pad(")->check_not("constant_pad_nd")->check("conv")->run(fused.graph());
  EXPECT_LT(fused.error({2, 3, 9, 8}), 1e-6);
  EXPECT_LT(fused.error({1, 3, 12, 5}), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(
    Spellings, PadConv,
    testing::Values(
        PaddedSpelling{"conv2d", padded("[1, 1, 2, 2]", kPaddedConv)},
        PaddedSpelling{"one_dimension", padded("[2, 2]", kPaddedConv)},
        PaddedSpelling{"zeros_for_channels", padded("[1, 1, 2, 2, 0, 0]", kPaddedConv)},
        PaddedSpelling{"functional_pad",
                       "  p = torch.pad(x, [1, 1, 2, 2], \"constant\", None)\n  return " + kPaddedConv + "\n"},
        PaddedSpelling{
            "string_padding",
            padded("[1, 1, 2, 2]", "torch.conv2d(p, self.conv.weight, self.conv.bias, [1, 1], \"same\", [1, 1], 1)")},
        PaddedSpelling{"traced", padded("[1, 1, 2, 2]",
                                        "torch._convolution(p, self.conv.weight, self.conv.bias, [1, 1], [0, 0], "
                                        "[1, 1], False, [0, 0], 1, False, False, True, True)")}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(PadConv, KeepsTheGroups) {
  for (const char* call : {"torch.conv2d(p, self.conv.weight, self.conv.bias, [1, 1], [0, 0], [1, 1], 2)",
                           "torch._convolution(p, self.conv.weight, self.conv.bias, [1, 1], [0, 0], [1, 1], False, "
                           "[0, 0], 2, False, False, True, True)"}) {
    Fused fused(layer("conv", {4, 2, 3, 3}), padded("[1, 1, 2, 2]", call));
    EXPECT_EQ(fused.fired("pad+conv"), 1);
    EXPECT_LT(fused.error({2, 4, 9, 8}), 1e-6);
  }
}

TEST(PadConv, TheBatchNormBehindItFoldsAsWell) {
  Fused fused(layer("conv", {4, 3, 3, 3}) + batch_norm("bn", 4),
              "  p = torch.constant_pad_nd(x, [1, 1, 1, 1], 0.)\n  y = " + kPaddedConv + "\n  return torch.relu(" +
                  batch_norm_call("y", "bn") + ")\n");
  EXPECT_EQ(fused.fired("pad+conv"), 1);
  EXPECT_EQ(fused.fired("conv+bn+relu"), 1);
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

struct OneSided {
  const char* name;
  std::vector<std::int64_t> weight;
  std::vector<std::int64_t> input;
  std::string body;
};

void PrintTo(const OneSided& given, std::ostream* out) { *out << given.name; }

class PadConvOneSided : public testing::TestWithParam<OneSided> {};

TEST_P(PadConvOneSided, ADepthwiseKernelGetsZerosInFront) {
  Fused fused(layer("conv", GetParam().weight), GetParam().body);
  EXPECT_EQ(fused.fired("pad+conv"), 1);
  test::FileCheck().check_not("pad_nd")->check("conv")->run(fused.graph());
  EXPECT_LT(fused.error(GetParam().input), 1e-6);
  std::vector<std::int64_t> larger = GetParam().input;
  for (std::size_t i = 2; i < larger.size(); ++i) larger[i] += 1;  // even and odd sizes
  EXPECT_LT(fused.error(larger), 1e-6);
  EXPECT_EQ(fused.state_dict_names(), (std::vector<std::string>{"conv.bias", "conv.weight"}));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, PadConvOneSided,
    testing::Values(OneSided{"tensorflow_same",
                             {6, 1, 3, 3},
                             {2, 6, 10, 9},
                             padded("[0, 1, 0, 1]",
                                    "torch.conv2d(p, self.conv.weight, self.conv.bias, [2, 2], [0, 0], [1, 1], 6)")},
                    OneSided{"uneven_kernel",
                             {6, 1, 5, 2},
                             {2, 6, 10, 9},
                             padded("[0, 1, 1, 2]",
                                    "torch.conv2d(p, self.conv.weight, self.conv.bias, [2, 1], [1, 0], [1, 1], 6)")},
                    OneSided{"one_d",
                             {6, 1, 4},
                             {2, 6, 11},
                             padded("[1, 2]", "torch.conv1d(p, self.conv.weight, self.conv.bias, [3], [0], [1], 6)")}),
    [](const auto& info) { return std::string(info.param.name); });

struct PadRefusal {
  const char* name;
  ReasonCode code;
  std::string body;
};

void PrintTo(const PadRefusal& given, std::ostream* out) { *out << given.name; }

class PadConvRefusal : public testing::TestWithParam<PadRefusal> {};

TEST_P(PadConvRefusal, LeavesTheGraphAsItWas) {
  Fused fused(layer("conv", {4, 3, 3, 3}), GetParam().body);
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_TRUE(fused.declined_for(GetParam().code)) << fused.reasons();
  EXPECT_EQ(fused.error({3, 3, 9, 9}), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, PadConvRefusal,
    testing::Values(
        PadRefusal{"one_side", ReasonCode::pads_one_side, padded("[0, 1, 0, 1]", kPaddedConv)},
        PadRefusal{"more_in_front", ReasonCode::pads_one_side,
                   "  p = torch.constant_pad_nd(x, [1, 0, 1, 0], 0.)\n  return torch.conv2d(p, self.conv.weight)\n"},
        PadRefusal{"another_value", ReasonCode::pads_with_value, padded("[1, 1, 1, 1]", kPaddedConv, "1.")},
        PadRefusal{"cuts_off", ReasonCode::pads_other_dimensions, padded("[-1, -1, 1, 1]", kPaddedConv)},
        PadRefusal{"batch", ReasonCode::pads_other_dimensions, padded("[0, 0, 0, 0, 0, 0, 1, 1]", kPaddedConv)},
        PadRefusal{"computed_weight", ReasonCode::is_computed,
                   padded("[1, 1]", "torch.conv2d(p, self.conv.weight * x.size(0))")},
        PadRefusal{"input_is_written", ReasonCode::input_written_in_place,
                   "  v = x[0]\n  p = torch.constant_pad_nd(x, [1, 1, 1, 1], 0.)\n  v.add_(1)\n  return " +
                       kPaddedConv + "\n"},
        PadRefusal{"result_is_written", ReasonCode::output_written_in_place,
                   "  p = torch.constant_pad_nd(x, [1, 1, 1, 1], 0.)\n  p[0].add_(1)\n  return " + kPaddedConv + "\n"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(PadConv, ADilatedDepthwiseKernelGetsNoZerosInFront) {
  Fused fused(layer("conv", {6, 1, 3, 3}),
              padded("[0, 1, 0, 1]", "torch.conv2d(p, self.conv.weight, self.conv.bias, [1, 1], [0, 0], [2, 2], 6)"));
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.declined_for(ReasonCode::pads_one_side)) << fused.reasons();
  EXPECT_EQ(fused.error({2, 6, 10, 9}), 0);
}

TEST(PadConv, AnInfiniteWeightMakesANaNOfAZeroThatIsThere) {
  Tensors tensors = layer("conv", {4, 3, 3, 3});
  tensors["conv.weight"][0][0][0][0] = std::numeric_limits<float>::infinity();
  const Fused fused(tensors, padded("[1, 1, 1, 1]", kPaddedConv));
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.declined_for(ReasonCode::not_finite));
}

TEST(PadConv, ThePadStaysForItsOtherReaders) {
  Fused fused(layer("conv", {4, 3, 3, 3}),
              "  p = torch.constant_pad_nd(x, [1, 1, 1, 1], 0.)\n  return " + kPaddedConv + ".sum() + p\n");
  EXPECT_EQ(fused.fired("pad+conv"), 1);
  test::FileCheck().check("constant_pad_nd")->run(fused.graph());
  EXPECT_LT(fused.error({2, 3, 9, 9}), 1e-5);
}

}  // namespace
}  // namespace fusekit
