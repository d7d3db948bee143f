// Layers that compute in bfloat16, in files for the cpu and in portable ones.
#include <torch/csrc/jit/testing/file_check.h>

#include "target/cpu_target.h"

namespace fusekit {
namespace {

using test::operator+;
using test::Tensors;

Tensors random_layer(const std::string& name, const std::vector<std::int64_t>& weight) {
  const at::Tensor w = torch::randn(weight);
  return {{name + ".weight", w / std::sqrt(double(w[0].numel()))}, {name + ".bias", torch::randn(weight[0])}};
}

class Bfloat16 : public test::CpuTarget {
 protected:
  void write_in_bfloat16(const Tensors& tensors, const std::string& body, const std::vector<std::int64_t>& input) {
    LowerOptions options;
    options.dtype = "bfloat16";
    options.inputs.dims = {input};
    write_network(tensors, body, options);
  }

  /// The code in front of the other road, which has plain convolutions.
  [[nodiscard]] std::string fast_road() const {
    const std::string text = written_.get_method("forward").graph()->toString(false);
    return text.substr(0, text.rfind("block1():", text.find("aten::conv2d(")));
  }

  [[nodiscard]] std::map<std::string, at::ScalarType> dtypes() const {
    std::map<std::string, at::ScalarType> dtypes;
    for (const auto& parameter : written_.named_parameters()) dtypes[parameter.name] = parameter.value.scalar_type();
    return dtypes;
  }
};

TEST_F(Bfloat16, IsInsideAlone) {
  write_in_bfloat16(random_layer("a", {16, 8, 3, 3}) + random_layer("b", {4, 16, 3, 3}),
                    "  y = torch.relu(torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1]))\n"
                    "  return torch.conv2d(y, self.b.weight, self.b.bias, [2, 2], [1, 1])\n",
                    {2, 8, 12, 12});
  for (const auto& [name, dtype] : dtypes()) EXPECT_EQ(dtype, at::kBFloat16) << name;
  expect_same_everywhere(3e-2);
  EXPECT_GT(error_on({torch::randn({2, 8, 12, 12})}), 1e-4);  // it is not float
  EXPECT_GT(error_on({torch::randn({3, 8, 12, 12})}), 1e-4);
}

TEST_F(Bfloat16, APictureIsInChannelsLastBeforeItIsConvertedAndThenNothingIs) {
  write_in_bfloat16(random_layer("a", {16, 3, 3, 3}) + random_layer("b", {4, 16, 3, 3}),
                    "  y = torch.relu(torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1]))\n"
                    "  return torch.conv2d(y, self.b.weight, self.b.bias, [2, 2], [1, 1])\n",
                    {1, 3, 64, 48});
  const std::string fast = fast_road();
  EXPECT_EQ(test::count_of(" aten::to(", fast), 2U) << "in, and out\n" << fast;
  EXPECT_LT(fast.find("aten::channel_shuffle("), fast.find(" aten::to("));
  for (const std::int64_t width : {48, 50}) {
    EXPECT_LE(error_on({torch::randn({1, 3, 64, width})}), 3e-2);
    EXPECT_LE(error_on({torch::randn({1, 3, 64, width}).contiguous(at::MemoryFormat::ChannelsLast)}), 3e-2);
  }
}

TEST_F(Bfloat16, AFewRowsTimesASmallWeightStayFloat) {
  const std::string body = "  return torch.relu(torch.linear(x, self.a.weight, self.a.bias))\n";
  write_in_bfloat16(random_layer("a", {32, 16}), body, {2, 16});
  EXPECT_EQ(dtypes().at("a.weight"), at::kFloat);
  EXPECT_LE(error_on({torch::randn({2, 16})}), 1e-5);
  EXPECT_LE(error_on({torch::randn({5, 16})}), 1e-5);
  write_in_bfloat16(random_layer("a", {32, 16}), body, {64, 16});
  EXPECT_EQ(dtypes().at("a.weight"), at::kBFloat16);
  EXPECT_EQ(count("mkldnn::_linear_pointwise"), 1U);
  EXPECT_LE(error_on({torch::randn({2, 16})}), 2e-2);
  write_in_bfloat16(random_layer("a", {512, 1024}), body, {2, 1024});
  EXPECT_EQ(dtypes().at("a.weight"), at::kBFloat16) << "a large weight takes longer to read than to convert";
  EXPECT_LE(error_on({torch::randn({5, 1024})}), 2e-2);
}

TEST_F(Bfloat16, SqueezeAndExcitationIsFloatAndWhatFollowsIsNot) {
  write_in_bfloat16(random_layer("a", {16, 8, 3, 3}) + random_layer("s", {4, 16, 1, 1}) +
                        random_layer("e", {16, 4, 1, 1}) + random_layer("b", {4, 16, 3, 3}),
                    "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
                    "  s = torch.adaptive_avg_pool2d(y, [1, 1])\n"
                    "  s = torch.relu(torch.conv2d(s, self.s.weight, self.s.bias))\n"
                    "  s = torch.sigmoid(torch.conv2d(s, self.e.weight, self.e.bias))\n"
                    "  return torch.conv2d(y * s, self.b.weight, self.b.bias)\n",
                    {2, 8, 12, 12});
  EXPECT_EQ(dtypes().at("s.weight"), at::kFloat);
  EXPECT_EQ(dtypes().at("e.weight"), at::kFloat);
  EXPECT_EQ(dtypes().at("b.weight"), at::kBFloat16);
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 2U);
  EXPECT_EQ(count("mkldnn::_linear_pointwise"), 0U);
  const std::string fast = fast_road();
  EXPECT_EQ(test::count_of(" aten::to(", fast), 4U) << "in, to float and back, out\n" << fast;
  torch::jit::testing::FileCheck().check("aten::sigmoid")->check("aten::to(")->check("aten::mul(")->run(fast);
  expect_same_everywhere(3e-2);
  const at::Tensor x = torch::randn({2, 8, 12, 12});
  EXPECT_GT(error_on({x}), 1e-4);
}

TEST_F(Bfloat16, AResultThatStayedFloatIsGivenOutSo) {
  write_in_bfloat16(
      random_layer("a", {16, 8, 3, 3}) + random_layer("f", {10, 16}),
      "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
      "  return torch.linear(torch.adaptive_avg_pool2d(y, [1, 1]).flatten(1), self.f.weight, self.f.bias)\n",
      {2, 8, 12, 12});
  EXPECT_EQ(dtypes().at("f.weight"), at::kFloat);
  const at::Tensor y = written_.forward({torch::randn({2, 8, 12, 12})}).toTensor();
  EXPECT_FALSE(y.equal(y.to(at::kBFloat16).to(at::kFloat))) << "it has been bfloat16";
}

TEST_F(Bfloat16, ALargeBatchNormWithAnActivationIsAConvolution) {
  const Tensors norm = {{"n.weight", torch::rand({32}) + 0.5},
                        {"n.bias", torch::randn({32})},
                        {"n.running_mean", torch::randn({32})},
                        {"n.running_var", torch::rand({32}) + 0.5}};
  const std::string body =
      "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
      "  z = torch.relu(torch.batch_norm(y, self.n.weight, self.n.bias, self.n.running_mean, "
      "self.n.running_var, False, 0.1, 1e-3, False))\n"
      "  return torch.cat([y, z], 1)\n";
  write_in_bfloat16(random_layer("a", {32, 8, 3, 3}) + norm, body, {2, 8, 48, 48});
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 2U);
  EXPECT_EQ(count("aten::addcmul"), 0U);
  EXPECT_LE(error_on({torch::randn({2, 8, 48, 48})}), 3e-2);
  expect_same_everywhere(3e-2);
  write_in_bfloat16(random_layer("a", {32, 8, 3, 3}) + norm, body, {2, 8, 12, 12});
  EXPECT_EQ(count("aten::addcmul"), 1U);
  expect_same_everywhere(3e-2);
}

/// Portable files, beside the original.
class PortableBfloat16 : public Bfloat16 {
 protected:
  void write_portable(const Tensors& tensors, const std::string& body, const std::vector<std::int64_t>& input) {
    test::save_module(test::make_module("Net", tensors, "def forward(self, x):\n" + body), folder_ / "in.pt");
    WriteOptions options;
    options.dtype = "bfloat16";
    options.force = true;
    options.verify.inputs.dims = {input};
    ASSERT_TRUE(write(read(folder_ / "in.pt"), folder_ / "out.pt", options).written);
    original_ = torch::jit::load((folder_ / "in.pt").string());
    written_ = torch::jit::load((folder_ / "out.pt").string());
  }
};

TEST_F(PortableBfloat16, HavePlainOperators) {
  write_portable(random_layer("a", {8, 8, 3, 3}), "  return torch.relu(torch.conv2d(x, self.a.weight, self.a.bias))\n",
                 {2, 8, 9, 9});
  EXPECT_EQ(dtypes().at("a.weight"), at::kBFloat16);
  EXPECT_EQ(count("aten::conv2d"), 1U);
  for (const std::int64_t size : {9, 14}) {
    const double error = error_on({torch::randn({3, 8, size, size})});
    EXPECT_LE(error, 3e-2);
    EXPECT_GT(error, 1e-4);
  }
}

TEST_F(PortableBfloat16, ConvertNothingBetweenLayers) {
  write_portable(random_layer("a", {8, 8, 3, 3}) + random_layer("b", {4, 8, 1, 1}) + random_layer("c", {4, 8, 1, 1}) +
                     random_layer("d", {100, 8 * 49}),
                 "  x = torch.max_pool2d(torch.relu(torch.conv2d(x, self.a.weight, self.a.bias)), [1, 1])\n"
                 "  b = torch.conv2d(x, self.b.weight, self.b.bias)\n"
                 "  x = torch.cat([torch.silu(b), torch.conv2d(x, self.c.weight, self.c.bias)], 1) * 2 + x\n"
                 "  return torch.linear(torch.flatten(x, 1), self.d.weight, self.d.bias)\n",
                 {20, 8, 9, 9});
  EXPECT_EQ(count("aten::to"), 2U) << "in, and out\n" << written_.get_method("forward").graph()->toString(false);
  EXPECT_LE(error_on({torch::randn({20, 8, 9, 9})}), 3e-2);
  EXPECT_LE(error_on({torch::randn({2, 8, 9, 9})}), 3e-2);
}

TEST_F(PortableBfloat16, ConvertWhatMayBeFloat) {
  write_portable(random_layer("a", {8, 8, 3, 3}) + random_layer("b", {4, 8, 1, 1}) + Tensors{{"s", torch::randn({7})}},
                 "  y = torch.conv2d(x, self.a.weight, self.a.bias)\n"
                 "  y = torch.conv2d(y + self.s, self.b.weight, self.b.bias)\n"
                 "  return torch.conv2d(torch.cat([y, x[:, :4, :7, :7]], 1), self.b.weight, self.b.bias)\n",
                 {2, 8, 9, 9});
  EXPECT_EQ(count("aten::to"), 4U) << written_.get_method("forward").graph()->toString(false);
  EXPECT_LE(error_on({torch::randn({2, 8, 9, 9})}), 3e-2);
}

}  // namespace
}  // namespace fusekit
