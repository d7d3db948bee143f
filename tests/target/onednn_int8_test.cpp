// int8 layers as oneDNN's operators on plain uint8 tensors, for the shapes that a file is made for.
#include "fusekit/error.h"
#include "fusekit/quantize.h"
#include "support/refusal.h"
#include "target/cpu/int8/packed_int8.h"
#include "target/cpu_target.h"

namespace fusekit {
namespace {

using test::operator+;
using test::Tensors;

class OnednnInt8 : public test::CpuTarget {
 protected:
  void SetUp() override {
    CpuTarget::SetUp();
    if (!target::PackedInt8::are_supported()) GTEST_SKIP() << "this LibTorch has no onednn::qconv2d_pointwise";
  }

  /// Writes the network in int8, with quantized operators and with oneDNN's.
  void write_int8(const Tensors& tensors, const std::string& body) {
    test::save_module(test::make_module("Net", tensors, "def forward(self, x):\n" + body), folder_ / "in.pt");
    original_ = torch::jit::load((folder_ / "in.pt").string());
    quantized_ = written_in("quantized", int8_network());
    written_ = written_in("onednn", int8_network());
  }

  /// in.pt in int8. Prefer::speed leaves SiLU in float.
  [[nodiscard]] Model int8_network(Prefer prefer = Prefer::size) const {
    Model model = read(folder_ / "in.pt");
    QuantizeOptions quantize;
    quantize.calibration.random = 4;
    quantize.calibration.inputs.dims = {kDims};
    quantize.prefer = prefer;
    quantize.rounding = Rounding::nearest;
    EXPECT_TRUE(to_int8(model, quantize).bound_holds);
    return model;
  }

  [[nodiscard]] torch::jit::Module written_in(const std::string& dialect, Model model,
                                              std::optional<double> min_sqnr_db = {}) const {
    WriteOptions options;
    options.target = "cpu";
    options.int8_dialect = dialect;
    options.force = true;
    options.verify.inputs.dims = {kDims};
    options.verify.min_sqnr_db = min_sqnr_db;
    const auto file = folder_ / (dialect + ".pt");
    EXPECT_TRUE(write(std::move(model), file, options).written);
    return torch::jit::load(file.string());
  }

  /// Near the original for its shape, run by run, about as near as with quantized operators; equal to these for others.
  void expect_right() {
    const torch::NoGradGuard no_grad;
    double noise = 0;
    double noise_quantized = 0;
    double signal = 0;
    for (int run = 0; run < 4; ++run) {
      const at::Tensor x = torch::randn(kDims);
      const at::Tensor y = original_.forward({x}).toTensor();
      const at::Tensor onednn = written_.forward({x}).toTensor();
      signal += y.square().sum().item<double>();
      noise += (onednn - y).square().sum().item<double>();
      const at::Tensor quantized = quantized_.forward({x}).toTensor();
      noise_quantized += (quantized - y).square().sum().item<double>();
      EXPECT_EQ(onednn.strides(), quantized.strides());
    }
    EXPECT_LT(noise, signal / 1000) << "30 dB";
    EXPECT_LT(noise, 2 * noise_quantized);
    for (const std::vector<std::int64_t>& other :
         std::vector<std::vector<std::int64_t>>{{2, 8, 12, 12}, {1, 8, 17, 9}}) {
      const at::Tensor x = torch::randn(other);
      EXPECT_TRUE(written_.forward({x}).toTensor().equal(quantized_.forward({x}).toTensor())) << x.sizes();
    }
  }

  static inline const std::vector<std::int64_t> kDims = {1, 8, 12, 12};
  torch::jit::Module quantized_;
};

Tensors layer(const std::string& name, const std::vector<std::int64_t>& sizes) {
  const std::int64_t fan_in = c10::multiply_integers(sizes) / sizes[0];
  const double scale = 1 / std::sqrt(static_cast<double>(fan_in));
  return {{name + ".weight", torch::randn(sizes) * scale}, {name + ".bias", torch::randn({sizes[0]}) / 4}};
}

TEST_F(OnednnInt8, ActivationsAreComputedWithTheLayer) {
  write_int8(
      layer("a", {16, 8, 3, 3}) + layer("b", {16, 16, 1, 1}) + layer("c", {16, 16, 3, 3}) + layer("d", {5, 16}),
      "  y = torch.hardswish(torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1]))\n"
      "  y = torch.relu(torch.conv2d(y, self.b.weight, self.b.bias))\n"
      "  y = torch.relu6(torch.conv2d(y, self.c.weight, self.c.bias, [2, 2], [1, 1]))\n"
      "  return torch.linear(torch.flatten(torch.adaptive_avg_pool2d(y, [1, 1]), 1), self.d.weight, self.d.bias)\n");
  EXPECT_EQ(count("onednn::qconv2d_pointwise"), 3U);
  EXPECT_EQ(count("onednn::qlinear_pointwise"), 1U);
  EXPECT_EQ(count("quantized::hardswish"), 1U) << "for other shapes";
  expect_right();
}

TEST_F(OnednnInt8, SiluIsComputedWithTheLayerInsteadOfInFloat) {
  test::save_module(
      test::make_module("Net", layer("a", {16, 8, 3, 3}) + layer("b", {16, 16, 3, 3}),
                        "def forward(self, x):\n"
                        "  y = torch.silu(torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1]))\n"
                        "  return torch.silu(torch.conv2d(y, self.b.weight, self.b.bias, [1, 1], [1, 1]))\n"),
      folder_ / "in.pt");
  original_ = torch::jit::load((folder_ / "in.pt").string());
  written_ = written_in("onednn", int8_network(Prefer::speed));
  EXPECT_EQ(count("onednn::qconv2d_pointwise"), 2U);
  EXPECT_EQ(count("aten::silu") + count("aten::silu_"), 2U) << "for other shapes";
  EXPECT_EQ(count("aten::dequantize"), 2U);
  const torch::NoGradGuard no_grad;
  for (int run = 0; run < 3; ++run) {
    const at::Tensor x = torch::randn(kDims);
    const at::Tensor y = original_.forward({x}).toTensor();
    EXPECT_LT((written_.forward({x}).toTensor() - y).square().sum().item<double>(),
              y.square().sum().item<double>() / 500);
  }
}

TEST_F(OnednnInt8, GroupsThatWerePutTogetherAreTakenApart) {
  write_int8(layer("a", {144, 8, 1, 1}) + layer("b", {144, 1, 3, 3}) + layer("c", {8, 144, 1, 1}),
             "  y = torch.relu(torch.conv2d(x, self.a.weight, self.a.bias))\n"
             "  y = torch.relu(torch.conv2d(y, self.b.weight, self.b.bias, [1, 1], [1, 1], [1, 1], 144))\n"
             "  return torch.conv2d(y, self.c.weight, self.c.bias)\n");
  EXPECT_EQ(count("onednn::qconv2d_pointwise"), 3U);
  std::vector<std::int64_t> widths;
  for (const auto& module : written_.modules())
    if (module.type()->name()->name().starts_with("PackedInt8Conv2d"))
      widths.push_back(module.attr("weight").toTensor().size(1));
  std::ranges::sort(widths);
  EXPECT_EQ(widths, (std::vector<std::int64_t>{1, 8, 144}));
  expect_right();
}

TEST_F(OnednnInt8, SumsAreWrittenIntoTheOtherOperand) {
  write_int8(layer("a", {8, 8, 3, 3}) + layer("b", {8, 8, 3, 3}) + layer("c", {8, 8, 1, 1}),
             "  y = torch.relu(torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1]))\n"
             "  z = torch.relu(torch.conv2d(y, self.b.weight, self.b.bias, [1, 1], [1, 1]))\n"
             "  return torch.relu(torch.conv2d(z, self.c.weight, self.c.bias) + y)\n");
  EXPECT_EQ(count("onednn::qconv2d_pointwise"), 3U);
  EXPECT_EQ(count("aten::clone"), 0U);
  EXPECT_EQ(count("quantized::add") + count("quantized::add_relu"), 1U) << "for other shapes";
  expect_right();
}

TEST_F(OnednnInt8, SumsLeaveAloneWhatIsReadLater) {
  write_int8(layer("a", {8, 8, 3, 3}) + layer("b", {8, 8, 3, 3}) + layer("c", {8, 8, 3, 3}) + layer("d", {8, 8, 3, 3}),
             "  y = torch.relu(torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1]))\n"
             "  z = torch.conv2d(y, self.b.weight, self.b.bias, [1, 1], [1, 1]) + y\n"
             "  w = torch.conv2d(y, self.c.weight, self.c.bias, [1, 1], [1, 1])\n"
             "  v = torch.cat([w, y], 1)[:, 4:12]\n"
             "  return torch.conv2d(z, self.d.weight, self.d.bias, [1, 1], [1, 1]) + v\n");
  EXPECT_EQ(count("onednn::qconv2d_pointwise"), 4U);
  EXPECT_GE(count("aten::clone"), 1U);
  expect_right();
}

TEST_F(OnednnInt8, OneOfTwoLayersTakesTheSumOfBoth) {
  write_int8(layer("a", {16, 8, 3, 3}) + layer("b", {16, 8, 1, 1}),
             "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
             "  return torch.relu(y + torch.conv2d(x, self.b.weight, self.b.bias))\n");
  EXPECT_EQ(count("onednn::qconv2d_pointwise"), 2U);
  expect_right();
}

TEST_F(OnednnInt8, ALayerMayBeAddedToItsOwnInput) {
  write_int8(layer("a", {8, 8, 3, 3}) + layer("b", {8, 8, 3, 3}),
             "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
             "  z = torch.conv2d(y, self.b.weight, self.b.bias, [1, 1], [1, 1]) + y\n"
             "  return torch.max_pool2d(z, [2, 2]) + torch.max_pool2d(y, [2, 2])\n");
  EXPECT_EQ(count("onednn::qconv2d_pointwise"), 2U);
  EXPECT_EQ(count("aten::clone"), 1U);
  expect_right();
}

TEST_F(OnednnInt8, AFileThatIsInt8AlreadyCanChangeItsDialect) {
  write_int8(layer("a", {16, 8, 3, 3}) + layer("b", {8, 16, 3, 3}),
             "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1]).relu_()\n"
             "  return torch.conv2d(y, self.b.weight, self.b.bias, [1, 1], [1, 1]).mul_(2)\n");
  WriteOptions portable;
  portable.target = "portable";
  ASSERT_TRUE(write(int8_network(), folder_ / "portable.pt", portable).written);
  written_ = written_in("onednn", read(folder_ / "portable.pt"), 30);
  EXPECT_EQ(count("onednn::qconv2d_pointwise"), 2U);
}

TEST_F(OnednnInt8, UnknownDialectsAreRefused) {
  test::save_module(test::make_module("Net", layer("a", {8, 8, 3, 3}),
                                      "def forward(self, x):\n  return torch.conv2d(x, self.a.weight)\n"),
                    folder_ / "in.pt");
  Model model = read(folder_ / "in.pt");
  LowerOptions options;
  options.target = "cpu";
  options.inputs.dims = {kDims};
  options.int8_dialect = "esperanto";
  EXPECT_TRUE(test::refuses(ErrorKind::unsupported, "esperanto", [&] { lower(model, options); }));
}

}  // namespace
}  // namespace fusekit
