// What is faster in float than in int8 stays float, unless the smaller file is asked for.
#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using test::count_of;
using test::has;
using Shape = std::vector<std::int64_t>;
using Tensors = std::map<std::string, at::Tensor>;

Tensors weights() {
  at::manual_seed(3);
  return {{"a.weight", at::randn({64, 16, 3, 3}) / 12},
          {"b.weight", at::randn({64, 64, 3, 3}) / 24},
          {"depthwise.weight", at::randn({64, 1, 3, 3}) / 3},
          {"small.weight", at::randn({4, 8}) / 3},
          {"square.weight", at::randn({64, 64}) / 8}};
}

/// A network of `body`, quantized.
class Islands : public testing::Test {
 protected:
  void quantize(const std::string& body, const std::vector<Shape>& shapes, const QuantizeOptions& given = {}) {
    Tensors used;
    for (const auto& [name, tensor] : weights())
      if (has(body, name)) used[name] = tensor;
    const std::string arguments = shapes.size() == 2 ? "x, s" : "x";
    test::save_module(test::make_module("Net", used, "def forward(self, " + arguments + "):\n" + body),
                      folder_ / "float.pt");
    QuantizeOptions options = given;
    options.rounding = Rounding::nearest;
    options.calibration.random = 2;
    options.calibration.inputs.dims = shapes;
    options.calibration.inputs.types = std::vector<std::string>(shapes.size(), "float");
    Model model = read(folder_ / "float.pt");
    report_ = to_int8(model, options);
    ASSERT_TRUE(write(std::move(model), folder_ / "int8.pt", {.force = true}).written);
    graph_ = torch::jit::load((folder_ / "int8.pt").string()).get_method("forward").graph()->toString(false);
  }

  /// How many layers, activations and layouts stay float for speed.
  [[nodiscard]] std::size_t slow() const {
    return static_cast<std::size_t>(
        std::count_if(report_.floats.begin(), report_.floats.end(),
                      [](const FloatOperator& one) { return one.reason.code == ReasonCode::slower_in_int8; }));
  }

  test::TemporaryFolder folder_;
  QuantizeReport report_;
  std::string graph_;
};

const char* const kSmallBesideFloat =
    "    y = torch.matmul(x, x)\n"
    "    return (torch.linear(s, self.small.weight), y)\n";

TEST_F(Islands, ALayerThatDoesLittleBesideMuchFloatStaysFloat) {
  quantize(kSmallBesideFloat, {{64, 64}, {1, 8}});
  EXPECT_EQ(count_of("quantized::", graph_), 0U) << graph_;
  ASSERT_EQ(report_.layers.size(), 1U);
  EXPECT_EQ(report_.layers[0].reason.code, ReasonCode::slower_in_int8);
  EXPECT_EQ(report_.int8_macs, 0);
}

TEST_F(Islands, TheSmallerFileIsThereForTheAsking) {
  for (const QuantizeOptions& options :
       {QuantizeOptions{.prefer = Prefer::size}, QuantizeOptions{.qconfig = Qconfig::qnnpack}}) {
    quantize(kSmallBesideFloat, {{64, 64}, {1, 8}}, options);
    EXPECT_EQ(count_of("quantized::linear", graph_), 1U) << graph_;
    EXPECT_EQ(slow(), 0U);
  }
}

TEST_F(Islands, ANetworkThatIsSmallAltogetherIsInt8) {
  quantize("    return torch.linear(x, self.small.weight)\n", {{1, 8}});
  EXPECT_EQ(count_of("quantized::linear", graph_), 1U) << graph_;
}

TEST_F(Islands, ASmallIslandBesideALargeOneStaysFloat) {
  quantize(
      "    y = torch.conv2d(x, self.a.weight, None, [1, 1], [1, 1])\n"
      "    y = torch.conv2d(torch.relu(y), self.b.weight, None, [1, 1], [1, 1])\n"
      "    return (torch.linear(s, self.small.weight), y)\n",
      {{1, 16, 28, 28}, {1, 8}});
  EXPECT_EQ(count_of("quantized::conv2d", graph_), 2U) << graph_;
  EXPECT_EQ(count_of("quantized::linear", graph_), 0U) << graph_;
}

// A linear of 64 x 64 on one row is not worth two conversions of its own; between int8 it needs none.
TEST_F(Islands, ASmallLayerWithinALargeIslandIsInt8) {
  quantize(
      "    y = torch.relu(torch.conv2d(x, self.a.weight, None, [1, 1], [1, 1]))\n"
      "    p = torch.flatten(torch.adaptive_avg_pool2d(y, [1, 1]), 1)\n"
      "    return torch.linear(p, self.square.weight)\n",
      {{1, 16, 56, 56}});
  EXPECT_EQ(count_of("quantized::linear", graph_), 1U) << graph_;
  EXPECT_EQ(slow(), 0U);
}

// oneDNN's depthwise convolution is as fast in float, and the conversions come on top.
TEST_F(Islands, ADepthwiseConvolutionBetweenFloatsStaysFloat) {
  const std::string body =
      "    y = torch.silu(torch.conv2d(x, self.a.weight, None, [1, 1], [1, 1]))\n"
      "    return torch.silu(torch.conv2d(y, self.depthwise.weight, None, [1, 1], [1, 1], [1, 1], 64))\n";
  quantize(body, {{1, 16, 28, 28}});
  EXPECT_EQ(count_of("quantized::conv2d", graph_), 1U) << graph_;
  EXPECT_EQ(count_of("aten::silu", graph_), 2U) << graph_;
  quantize(body, {{1, 16, 28, 28}}, {.prefer = Prefer::size});
  EXPECT_EQ(count_of("quantized::conv2d", graph_), 2U) << graph_;
  EXPECT_EQ(count_of("aten::silu", graph_), 0U) << graph_;
}

TEST_F(Islands, OperatorsThatAreSlowInInt8StayFloatOnMuchData) {
  for (const char* operation : {"y * torch.mean(y, [2, 3], True)", "torch.upsample_bilinear2d(y, [40, 40], False)",
                                "torch.silu(y)", "torch.sigmoid(y)", "torch.tanh(y)", "torch.elu(y)",
                                "torch.constant_pad_nd(y, [1, 0, 1, 0])", "torch.pixel_shuffle(y, 2)"}) {
    const std::string body =
        "    y = torch.conv2d(x, self.a.weight, None, [1, 1], [1, 1])\n    return " + std::string(operation) + "\n";
    quantize(body, {{1, 16, 28, 28}});
    EXPECT_EQ(count_of("quantized::", graph_), 1U) << operation << graph_;
    EXPECT_EQ(slow(), 1U) << operation;
    quantize(body, {{1, 16, 28, 28}}, {.prefer = Prefer::size});
    EXPECT_EQ(slow(), 0U) << operation;
  }
}

}  // namespace
}  // namespace fusekit
