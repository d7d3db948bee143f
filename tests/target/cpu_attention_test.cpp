// The target cpu: attention as one operator where it is written out, layers that were one operator taken apart, layers in
// branches and of one dimension.
#include <limits>

#include "target/cpu_target.h"

namespace fusekit {
namespace {

using test::Tensors;
constexpr const char* kAtOnce = "aten::scaled_dot_product_attention";

bool has_scaled_attention() {
  for (const auto& op : torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(kAtOnce)))
    if (op->schema().argumentIndexWithName("scale")) return true;
  return false;
}

class CpuAttention : public test::CpuTarget {
 protected:
  void SetUp() override {
    CpuTarget::SetUp();
    if (!IsSkipped() && !has_scaled_attention()) GTEST_SKIP() << "this LibTorch has no attention with a scale";
  }

  /// Queries, keys and values of (2, 9, 32) in 4 heads, then `body`, which makes `y` of them.
  void write_attention(const std::string& body, Tensors tensors = {}) {
    for (const char* name : {"q", "k", "v"}) tensors[std::string(name) + ".weight"] = torch::randn({32, 32}) / 2;
    LowerOptions options;
    options.inputs.dims = {{2, 9, 32}};
    std::string heads;
    for (const std::string name : {"q", "k", "v"})
      heads += "  " + name + " = torch.linear(x, self." + name +
               ".weight).view(x.size(0), x.size(1), 4, 8).transpose(1, 2)\n";
    write_network(tensors, heads + body + "  return y.transpose(1, 2).reshape(x.size(0), x.size(1), -1)\n", options);
  }

  void expect_same() {
    for (const std::int64_t batch : {2, 1, 2}) EXPECT_LE(error_on({torch::randn({batch, 9, 32})}), 1e-5) << batch;
  }
};

Tensors mask_of(const at::Tensor& mask) { return {{"m.mask", mask}}; }

TEST_F(CpuAttention, IsOneOperatorWhereItIsWrittenOut) {
  const Tensors mask = mask_of(torch::randn({1, 4, 9, 9}));
  for (const char* body : {
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) / 2.5, -1), v)\n",
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)), 3), v)\n",
           "  y = torch.matmul(torch.softmax(torch.matmul(q * 0.5, 0.25 * k.transpose(2, 3)), -1), v)\n",
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) / float(q.size(-1)) ** 0.5 + "
           "self.m.mask, -1), v)\n",
           "  y = torch.matmul(torch.softmax(self.m.mask[:, 0] + torch.matmul(q, k.transpose(-2, -1)), -1), v)\n",
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) * q.size(-1) + self.m.mask[0], -1), "
           "v)\n",
           "  hidden = (1.0 - (x[:, :, 0] > 0)[:, None, None, :].to(x.dtype)) * -10000.0\n"
           "  y = torch.matmul(torch.dropout(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) * 0.3 + hidden, -1), "
           "0.1, False), v)\n",
           "  k = torch.linear(x, self.k.weight).view(x.size(0), x.size(1), 4, 8).permute(0, 2, 3, 1)\n"
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k), -1), v)\n",
           "  q, k, v = q.reshape(-1, 9, 8), k.reshape(-1, 9, 8), v.reshape(-1, 9, 8)\n"
           "  y = torch.bmm(torch.softmax(torch.bmm(q * 0.3, k.transpose(1, 2)), 2), v).view(-1, 4, 9, 8)\n",
           "  q, k, v = q.reshape(-1, 9, 8), k.reshape(-1, 9, 8), v.reshape(-1, 9, 8)\n"
           "  y = torch.baddbmm(self.m.mask[0, :1], q, k.transpose(1, 2), beta=1, alpha=0.3)\n"
           "  y = torch.bmm(torch.softmax(y, 2), v).view(-1, 4, 9, 8)\n",
           "  q, k, v = q.reshape(-1, 9, 8), k.reshape(-1, 9, 8), v.reshape(-1, 9, 8)\n"
           "  y = torch.baddbmm(x[0, 0, 0], q, k.transpose(1, 2), beta=0, alpha=0.3) / 2\n"
           "  y = torch.bmm(torch.softmax(y, 2), v).view(-1, 4, 9, 8)\n",
       }) {
    write_attention(body, mask);
    EXPECT_EQ(count(kAtOnce), 1U) << body;
    EXPECT_EQ(count("aten::softmax"), 1U) << body;  // for other shapes
    expect_same();
  }
}

TEST_F(CpuAttention, IsLeftWhereItIsSomethingElse) {
  const Tensors mask = mask_of(torch::randn({1, 4, 9, 9}));
  for (const char* body : {
           // over queries; not the first input
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)), 2), v)\n",
           "  y = torch.matmul(q, torch.matmul(torch.softmax(torch.matmul(k.transpose(-2, -1), v), -1), "
           "q.transpose(-2, "
           "-1)).transpose(-2, -1)[:, :, :8, :8])\n",
           // the shares are read
           "  s = torch.softmax(torch.matmul(q, k.transpose(-2, -1)), -1)\n  y = torch.matmul(s, v) + s.max()\n",
           "  s = torch.matmul(q, k.transpose(-2, -1))\n  y = torch.matmul(torch.softmax(s, -1), v) + s.max()\n",
           // what is added may hide a whole row
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) + x[:, None, :, :9], -1), v)\n",
           "  hidden = (1.0 - x[:, None, :, :9]) * -10000.0\n"
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) + hidden, -1), v)\n",
           // the mask is scaled, too, or there are two
           "  y = torch.matmul(torch.softmax((torch.matmul(q, k.transpose(-2, -1)) + self.m.mask) / 2, -1), v)\n",
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) + self.m.mask + self.m.mask, -1), "
           "v)\n",
           "  y = torch.matmul(torch.softmax(torch.add(torch.matmul(q, k.transpose(-2, -1)), self.m.mask, alpha=2), "
           "-1), "
           "v)\n",
           // heads are shared, values have another width
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k[:, :1].transpose(-2, -1)), -1), v[:, :1])\n",
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)), -1), v[:, :, :, :4])\n",
           // keys that are not turned
           "  y = torch.matmul(torch.softmax(torch.matmul(q, k[:, :, :8]), -1), v[:, :, :8])\n",
           "  y = torch.matmul(torch.softmax(torch.pow(torch.matmul(q, k.transpose(-2, -1)), 2.0), -1), v)\n",
       }) {
    write_attention(body, mask);
    EXPECT_EQ(count(kAtOnce), 0U) << body;
    expect_same();
  }
}

TEST_F(CpuAttention, AMaskThatHidesAWholeRowGivesNanAsBefore) {
  at::Tensor mask = torch::zeros({1, 1, 9, 9});
  mask[0][0][3].fill_(-std::numeric_limits<float>::infinity());
  write_attention("  y = torch.matmul(torch.softmax(torch.matmul(q, k.transpose(-2, -1)) + self.m.mask, -1), v)\n",
                  mask_of(mask));
  EXPECT_EQ(count(kAtOnce), 0U);
  const at::Tensor x = torch::randn({2, 9, 32});
  EXPECT_TRUE(written_.forward({x}).toTensor().isnan().equal(original_.forward({x}).toTensor().isnan()));
}

TEST_F(CpuAttention, RunsInBfloat16) {
  const Tensors tensors = {{"q.weight", torch::randn({32, 32}) / 4}};
  LowerOptions options;
  options.inputs.dims = {{2, 9, 32}};
  options.dtype = "bfloat16";
  write_network(tensors,
                "  q = torch.linear(x, self.q.weight).view(x.size(0), x.size(1), 4, 8).transpose(1, 2)\n"
                "  y = torch.matmul(torch.softmax(torch.matmul(q, q.transpose(-2, -1)) * 0.3, -1), q)\n"
                "  return y.transpose(1, 2).reshape(x.size(0), x.size(1), -1)\n",
                options);
  EXPECT_EQ(count(kAtOnce), 1U);
  EXPECT_LE(error_on({torch::randn({2, 9, 32})}), 3e-2);
}

// A mask in float would make float of the scores, and a product takes one dtype.
TEST_F(CpuAttention, RunsInBfloat16WithAMaskInFloat) {
  LowerOptions options;
  options.inputs.dims = {{2, 9, 32}, {2, 1, 1, 9}};
  options.dtype = "bfloat16";
  write_network({{"q.weight", torch::randn({32, 32}) / 4}},
                "  q = torch.linear(x, self.q.weight).view(x.size(0), x.size(1), 4, 8).transpose(1, 2)\n"
                "  y = torch.matmul(torch.softmax(torch.matmul(q, q.transpose(-2, -1)) * 0.3 + mask * -2.0, -1), q)\n"
                "  return y.transpose(1, 2).reshape(x.size(0), x.size(1), -1)\n",
                options, "x, mask");
  const at::Tensor mask = torch::randn({2, 1, 1, 9}).abs();
  EXPECT_LE(error_on({torch::randn({2, 9, 32}), mask}), 3e-2);
}

/// A layer's weights as torch.nn.MultiheadAttention has them.
Tensors attention_weights(std::int64_t width) {
  const double size = std::sqrt(static_cast<double>(width));
  return {{"a.in_weight", torch::randn({3 * width, width}) / size},
          {"a.in_bias", torch::randn({3 * width})},
          {"a.out_weight", torch::randn({width, width}) / size},
          {"a.out_bias", torch::randn({width})}};
}

std::string native_attention(std::int64_t width, const std::string& key = "x",
                             const std::string& mask = "None, False") {
  return "torch._native_multi_head_attention(x, " + key + ", " + key + ", " + std::to_string(width) +
         ", 4, self.a.in_weight, self.a.in_bias, self.a.out_weight, self.a.out_bias, " + mask + ")";
}

class CpuEncoder : public CpuAttention {
 protected:
  void write_encoder(const std::string& body, std::int64_t width, Tensors tensors = {}) {
    LowerOptions options;
    options.inputs.dims = {{2, 20, width}};
    tensors.merge(attention_weights(width));
    write_network(tensors, body, options);
    for (const std::int64_t batch : {2, 3}) EXPECT_LE(error_on({torch::randn({batch, 20, width})}), 1e-5) << body;
  }

  static bool has_mkl() { return target::PackedLayers::is_supported(target::Packing::mkl); }
};

TEST_F(CpuEncoder, AttentionThatWasOneOperatorIsTakenApartWhereThatPays) {
  if (!has_mkl()) GTEST_SKIP() << "no MKL";
  write_encoder("  y, w = " + native_attention(256) + "\n  return y\n", 256);
  EXPECT_EQ(count(kAtOnce), 1U);
  EXPECT_EQ(count("mkl::_mkl_linear"), 2U);
  EXPECT_EQ(count("aten::_native_multi_head_attention"), 1U);
  for (const std::string& body :
       {"  y, w = " + native_attention(256, "x * 2") + "\n  return y\n",
        "  y, w = " + native_attention(256, "x", "x[:, :, 0] > 4, False, True, 1") + "\n  return y\n"}) {
    write_encoder(body, 256);
    EXPECT_EQ(count(kAtOnce), 0U) << body;
    EXPECT_EQ(count("aten::_native_multi_head_attention"), 1U) << body;
  }
  write_encoder("  y, w = " + native_attention(32) + "\n  return y\n", 32);
  EXPECT_EQ(count(kAtOnce), 0U);
}

TEST_F(CpuEncoder, BranchesMayHandOnWeightsThatNobodyReads) {
  if (!has_mkl()) GTEST_SKIP() << "no MKL";
  const std::string start = "  if x.requires_grad:\n    p = (x, x)\n  else:\n    p = " + native_attention(256) + "\n";
  write_encoder(start + "  return p[0]\n", 256);
  EXPECT_EQ(count(kAtOnce), 1U);
  write_encoder(start + "  y, w = p\n  return y\n", 256);
  EXPECT_EQ(count(kAtOnce), 1U);
}

TEST_F(CpuEncoder, AnEncoderLayerIsTakenApart) {
  if (!has_mkl()) GTEST_SKIP() << "no MKL";
  Tensors tensors;
  for (const char* name : {"n1", "n2"}) {
    tensors[std::string("a.") + name + "_weight"] = torch::rand({256}) + 0.5;
    tensors[std::string("a.") + name + "_bias"] = torch::randn({256});
  }
  tensors["a.wide_weight"] = torch::randn({512, 256}) / 16;
  tensors["a.wide_bias"] = torch::randn({512});
  tensors["a.narrow_weight"] = torch::randn({256, 512}) / 20;
  tensors["a.narrow_bias"] = torch::randn({256});
  write_encoder(
      "  return torch._transformer_encoder_layer_fwd(x, 256, 4, self.a.in_weight, self.a.in_bias, self.a.out_weight, "
      "self.a.out_bias, True, False, 1e-5, self.a.n1_weight, self.a.n1_bias, self.a.n2_weight, self.a.n2_bias, "
      "self.a.wide_weight, self.a.wide_bias, self.a.narrow_weight, self.a.narrow_bias)\n",
      256, tensors);
  EXPECT_EQ(count(kAtOnce), 1U);
  EXPECT_EQ(count("mkl::_mkl_linear"), 4U);
}

class CpuBranches : public test::CpuTarget {};

TEST_F(CpuBranches, LayersInBranchesAndLoopsArePackedWhereTheyRan) {
  LowerOptions options;
  options.inputs.dims = {{2, 8, 12, 12}};
  const double size = std::sqrt(8.0 * 9);
  write_network({{"a.weight", torch::randn({8, 8, 3, 3}) / size},
                 {"a.bias", torch::randn({8})},
                 {"b.weight", torch::randn({8, 8, 3, 3}) / size}},
                "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
                "  if x.size(1) > x.size(0):\n"
                "    z = torch.relu(torch.conv2d(y, self.b.weight, None, [1, 1], [1, 1]))\n"
                "  else:\n"
                "    z = torch.conv2d(y, self.a.weight, None, [1, 1], [1, 1])\n"
                "  for i in range(x.size(0)):\n"
                "    z = torch.tanh(torch.conv2d(z, self.b.weight, None, [1, 1], [1, 1])) + y\n"
                "  return z\n",
                options);
  EXPECT_EQ(count("mkldnn::_convolution_pointwise") + count("mkldnn::_convolution_pointwise_"), 3U);
  expect_same_everywhere();
}

TEST_F(CpuBranches, OneDimensionalConvolutionsArePackedWhereThatPays) {
  LowerOptions options;
  options.inputs.dims = {{2, 16, 30}};
  for (const std::string turned : {"x", "x.transpose(1, 2).contiguous().transpose(1, 2)"}) {
    write_network({{"a.weight", torch::randn({32, 1, 5}) / 2},
                   {"a.bias", torch::randn({32})},
                   {"b.weight", torch::randn({8, 32, 1}) / 6},
                   {"b.bias", torch::randn({8})},
                   {"c.weight", torch::randn({8, 8, 3}) / 5}},
                  "  y = " + turned +
                      "\n"
                      "  y = torch.silu(torch.conv1d(y, self.a.weight, self.a.bias, [2], [4], [2], 16))\n"
                      "  y = torch.relu(torch.conv1d(y, self.b.weight, self.b.bias))\n"
                      "  return torch.conv1d(y, self.c.weight, None, [1], [1])\n",
                  options);
    EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 1U);
    EXPECT_EQ(count("mkl::_mkl_linear"), target::PackedLayers::is_supported(target::Packing::mkl) ? 1U : 0U);
    EXPECT_EQ(count("aten::conv1d"), target::PackedLayers::is_supported(target::Packing::mkl) ? 4U : 5U);
    for (const std::int64_t batch : {2, 3}) EXPECT_LE(error_on({torch::randn({batch, 16, 30})}), 1e-5);
    EXPECT_LE(error_on({torch::randn({2, 16, 30}).transpose(1, 2).contiguous().transpose(1, 2)}), 1e-5);
    EXPECT_LE(error_on({torch::randn({2, 16, 21})}), 1e-5);
  }
}

TEST_F(CpuBranches, TransposedConvolutionsArePacked) {
  LowerOptions options;
  options.inputs.dims = {{2, 4, 6, 7}};
  write_network({{"a.weight", torch::randn({4, 6, 2, 2}) / 4},
                 {"a.bias", torch::randn({6})},
                 {"b.weight", torch::randn({6, 5, 3, 3}) / 6},
                 {"c.weight", torch::randn({5, 4, 3, 2}) / 6},
                 {"grouped.weight", torch::randn({4, 2, 2, 2}) / 2}},
                "  y = torch.relu(torch.conv_transpose2d(x, self.a.weight, self.a.bias, [2, 2]))\n"
                "  y = torch.conv_transpose2d(y, self.b.weight, None, [2, 1], [1, 2], [1, 0], 1, [1, 2])\n"
                "  y = torch.silu(torch.conv_transpose2d(y, self.c.weight, None, [1, 1], [2, 0]))\n"
                "  return torch.conv_transpose2d(y, self.grouped.weight, None, [2, 2], [0, 0], [0, 0], 2)\n",
                options);
  EXPECT_EQ(count("mkldnn::_convolution_transpose_pointwise"), 3U) << "the grouped one is left";
  for (const std::int64_t batch : {2, 3}) EXPECT_LE(error_on({torch::randn({batch, 4, 6, 7})}), 1e-5);
}

// Others are as fast in LibTorch's own kernels.
TEST_F(CpuBranches, ThreeDimensionalConvolutionsOfSmallKernelsArePacked) {
  LowerOptions options;
  options.inputs.dims = {{2, 4, 6, 8, 8}};
  write_network({{"a.weight", torch::randn({8, 4, 3, 3, 3}) / 10},
                 {"a.bias", torch::randn({8})},
                 {"b.weight", torch::randn({4, 8, 1, 1, 1}) / 3},
                 {"c.weight", torch::randn({4, 4, 5, 1, 1}) / 3}},
                "  y = torch.relu(torch.conv3d(x, self.a.weight, self.a.bias, [1, 2, 2], [1, 1, 1]))\n"
                "  return torch.conv3d(torch.conv3d(y, self.b.weight), self.c.weight, None, [1, 1, 1], [2, 0, 0])\n",
                options);
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 1U);
  for (const std::int64_t batch : {2, 3}) EXPECT_LE(error_on({torch::randn({batch, 4, 6, 8, 8})}), 1e-5);
  EXPECT_LE(error_on({torch::randn({2, 4, 6, 8, 8}).contiguous(at::MemoryFormat::ChannelsLast3d)}), 1e-5);
}

}  // namespace
}  // namespace fusekit
