// Pools of the fast road, against LibTorch's own.
#include <array>

#include "target/cpu_target.h"

namespace fusekit {
namespace {

using test::Tensors;

struct MaxPoolCase {
  std::string name;
  std::vector<std::int64_t> input;  ///< of the network: (N, 8, H, W)
  std::array<std::int64_t, 2> kernel;
  std::array<std::int64_t, 2> stride;
  std::array<std::int64_t, 2> padding;
  bool ceil_mode = false;
  bool is_lowered = true;
  std::string dtype = "float";
};

Tensors pixelwise() { return {{"a.weight", torch::randn({64, 8, 1, 1}) / 2}, {"a.bias", torch::randn({64})}}; }

std::string text(const std::array<std::int64_t, 2>& pair) { return fmt::format("[{}, {}]", pair[0], pair[1]); }

class MaxPools : public test::CpuTarget, public testing::WithParamInterface<MaxPoolCase> {
 protected:
  /// `result`: of forward, with `y` in channels_last and of both signs.
  void write_result(const std::string& result, const std::vector<std::int64_t>& input,
                    const std::string& dtype = "float") {
    LowerOptions options;
    options.inputs.dims = {input};
    options.dtype = dtype;
    write_network(pixelwise(), "  y = torch.conv2d(x, self.a.weight, self.a.bias)\n  return " + result + "\n", options);
  }
};

TEST_P(MaxPools, AreMaximaOfSlices) {
  const MaxPoolCase& pool = GetParam();
  write_result(fmt::format("torch.max_pool2d(y, {}, {}, {}, [1, 1], {})", text(pool.kernel), text(pool.stride),
                           text(pool.padding), pool.ceil_mode ? "True" : "False"),
               pool.input, pool.dtype);
  EXPECT_EQ(count("aten::max_pool2d"), pool.is_lowered ? 1U : 2U) << "one is for other shapes";
  EXPECT_EQ(count("aten::clamp_min_") > 0, pool.is_lowered);
  const double tolerance = pool.dtype == "float" ? 1e-6 : 2e-2;
  EXPECT_LE(error_on({torch::randn(pool.input)}), tolerance);
  EXPECT_LE(error_on({torch::randn(pool.input).contiguous(at::MemoryFormat::ChannelsLast)}), tolerance);
  at::Tensor holed = torch::randn(pool.input);
  holed[0][0][3][4] = std::numeric_limits<float>::quiet_NaN();
  const auto holes = [&](torch::jit::Module& module) { return module.forward({holed}).toTensor().isnan(); };
  EXPECT_TRUE(holes(original_).equal(holes(written_))) << "NaN is the largest there is";
}

// As in ResNet, Inception, GoogLeNet (whose windows may reach over the edge), AlexNet, and YOLO; windows of two sizes.
const MaxPoolCase kMaxPools[] = {
    {"Stem", {1, 8, 64, 64}, {3, 3}, {2, 2}, {1, 1}},
    {"StemOfOddSize", {1, 8, 63, 61}, {3, 3}, {2, 2}, {1, 1}},
    {"OneApart", {2, 8, 24, 21}, {3, 3}, {1, 1}, {1, 1}},
    {"CeilMode", {1, 8, 64, 65}, {3, 3}, {2, 2}, {0, 0}, true},
    {"NoPadding", {1, 8, 55, 55}, {3, 3}, {2, 2}, {0, 0}},
    {"Five", {1, 8, 20, 20}, {5, 5}, {1, 1}, {2, 2}},
    {"Thirteen", {1, 8, 14, 9}, {13, 13}, {1, 1}, {6, 6}},
    {"TwoSizes", {1, 8, 30, 40}, {5, 3}, {1, 2}, {0, 1}},
    {"ThreeApart", {1, 8, 80, 80}, {4, 7}, {3, 3}, {2, 3}},
    {"InBfloat16", {1, 8, 28, 28}, {3, 3}, {1, 1}, {1, 1}, false, true, "bfloat16"},
    {"InBfloat16TwoApart", {1, 8, 64, 64}, {3, 3}, {2, 2}, {1, 1}, false, false, "bfloat16"},
    {"Small", {1, 8, 12, 12}, {3, 3}, {1, 1}, {1, 1}, false, false},
    {"OfTwo", {1, 8, 96, 96}, {2, 2}, {2, 2}, {0, 0}, false, false},
};
INSTANTIATE_TEST_SUITE_P(Geometries, MaxPools, testing::ValuesIn(kMaxPools),
                         [](const auto& info) { return info.param.name; });

TEST_F(MaxPools, AWindowOfPaddingAloneAtTheEdgeIsLeftToLibTorch) {
  // the last window has one element, and no place is in all windows
  write_result("torch.max_pool2d(y, [3, 3], [2, 2], [1, 1], [1, 1], True)", {1, 8, 64, 64});
  EXPECT_EQ(count("aten::max_pool2d"), 2U);
  EXPECT_LE(error_on({torch::randn({1, 8, 64, 64})}), 1e-6);
}

TEST_F(MaxPools, DilatedOnesAreLeftToLibTorch) {
  write_result("torch.max_pool2d(y, [3, 3], [1, 1], [1, 1], [2, 2], False)", {1, 8, 64, 64});
  EXPECT_EQ(count("aten::max_pool2d"), 2U);
  EXPECT_LE(error_on({torch::randn({1, 8, 64, 64})}), 1e-6);
}

TEST_F(MaxPools, WhatElseReadsTheInputFindsItAsItWas) {
  write_result("torch.cat([y, torch.max_pool2d(y, [3, 3], [1, 1], [1, 1]), y.neg()], 1)", {1, 8, 30, 30});
  EXPECT_EQ(count("aten::max_pool2d"), 1U);
  EXPECT_LE(error_on({torch::randn({1, 8, 30, 30})}), 1e-6);
}

using AveragePools = test::CpuTarget;

TEST_F(AveragePools, OfSmallPicturesAreOneWindow) {
  const std::string body =
      "  y = torch.conv2d(x, self.a.weight, self.a.bias)\n  return y * torch.adaptive_avg_pool2d(y, [1, 1])\n";
  write_network(pixelwise(), body);
  EXPECT_EQ(count("aten::avg_pool2d"), 1U);
  EXPECT_EQ(count("aten::adaptive_avg_pool2d"), 1U) << "for other shapes";
  expect_same_everywhere();
  LowerOptions large;
  large.inputs.dims = {{1, 8, 40, 40}};
  write_network(pixelwise(), body, large);
  EXPECT_EQ(count("aten::avg_pool2d"), 0U);
  large.dtype = "bfloat16";
  write_network(pixelwise(), body, large);
  EXPECT_EQ(count("aten::avg_pool2d"), 1U);
  EXPECT_LE(error_on({torch::randn({1, 8, 40, 40})}), 2e-2);
}

TEST_F(AveragePools, OfMoreThanOneElementStay) {
  write_network(pixelwise(),
                "  return torch.adaptive_avg_pool2d(torch.conv2d(x, self.a.weight, self.a.bias), [1, 2])\n");
  EXPECT_EQ(count("aten::avg_pool2d"), 0U);
  expect_same_everywhere();
}

}  // namespace
}  // namespace fusekit
