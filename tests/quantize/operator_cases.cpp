#include "quantize/operator_cases.h"

#include <ostream>

namespace fusekit::test {
namespace {

/// Averages are small beside the levels that they are rounded to, which are those of what they are averages of.
constexpr double kAverage = 15;

const char* const kConv = "x = torch.conv2d(x, self.c.weight, self.c.bias, [1, 1], [1, 1])";
const Shape kImage = {2, 4, 10, 9};
const std::map<std::string, Shape> kConvWeights = {{"c.weight", {8, 4, 3, 3}}, {"c.bias", {8}}};

/// On what a convolution computed, (2, 8, 10, 9).
OperatorCase behind_conv(const std::string& name, const std::string& body, std::vector<std::string> operators,
                         double bound = kOperatorBound) {
  return {name, "CONV; " + body, kImage, kConvWeights, std::move(operators), bound};
}

std::map<std::string, Shape> with_norm(std::map<std::string, Shape> weights, std::int64_t channels) {
  for (const char* name : {"n.weight", "n.bias", "n.running_mean", "n.running_var"}) weights[name] = {channels};
  return weights;
}

const char* const kNorm =
    "torch.batch_norm(x, self.n.weight, self.n.bias, self.n.running_mean, self.n.running_var, False, 0.1, 1e-5, True)";

std::vector<OperatorCase> convolutions() {
  const std::map<std::string, Shape> depthwise = {{"c.weight", {4, 1, 3, 3}}, {"c.bias", {4}}};
  return {
      {"conv1d",
       "return torch.conv1d(x, self.c.weight, self.c.bias)",
       {2, 4, 17},
       {{"c.weight", {6, 4, 3}}, {"c.bias", {6}}},
       {"quantized::conv1d("}},
      {"sum_of_conv1d",  // its operands are laid out for it
       "y = torch.conv1d(x, self.c.weight, self.c.bias, [1], [0]); return y + torch.conv1d(y, self.c.weight)",
       {2, 4, 17},
       {{"c.weight", {4, 4, 1}}, {"c.bias", {4}}},
       {"quantized::add(", "aten::contiguous"}},
      {"conv1d_strided_grouped",
       "return torch.relu(torch.conv1d(x, self.c.weight, None, [2], [1], [2], 2))",
       {2, 4, 17},
       {{"c.weight", {6, 2, 3}}},
       {"quantized::conv1d_relu("}},
      {"conv2d", "CONV; return x", kImage, kConvWeights, {"quantized::conv2d("}},
      {"conv2d_grouped",
       "return torch.conv2d(x, self.c.weight, self.c.bias, [2, 1], [1, 2], [1, 2], 2)",
       kImage,
       {{"c.weight", {6, 2, 3, 3}}, {"c.bias", {6}}},
       {"quantized::conv2d("}},
      {"conv2d_depthwise",
       "return torch.conv2d(x, self.c.weight, self.c.bias, [1, 1], [1, 1], [1, 1], 4)",
       kImage,
       depthwise,
       {"quantized::conv2d("}},
      {"conv2d_depthwise_of_many_channels",
       "return torch.relu(torch.conv2d(x, self.c.weight, self.c.bias, [1, 1], [1, 1], [1, 1], 112))",
       {2, 112, 10, 9},
       {{"c.weight", {112, 1, 3, 3}}, {"c.bias", {112}}},
       {"quantized::conv2d_relu("}},
      {"conv2d_of_many_groups",
       "return torch.conv2d(x, self.c.weight, self.c.bias, [2, 2], [1, 0], [1, 1], 104)",
       {1, 208, 6, 7},
       {{"c.weight", {312, 2, 3, 2}}, {"c.bias", {312}}},
       {"quantized::conv2d("}},
      {"conv1d_depthwise_of_many_channels",
       "return torch.conv1d(x, self.c.weight, self.c.bias, [1], [6], [2], 128)",
       {2, 128, 30},
       {{"c.weight", {128, 1, 7}}, {"c.bias", {128}}},
       {"quantized::conv1d("}},
      {"conv1d_depthwise_with_a_long_kernel",
       "return torch.relu(torch.conv1d(x, self.c.weight, self.c.bias, [1], [7], [1], 16))",
       {2, 16, 64},
       {{"c.weight", {16, 1, 15}}, {"c.bias", {16}}},
       {"quantized::conv1d_relu("}},
      {"conv2d_of_groups_that_fbgemm_overruns",
       "return torch.conv2d(x, self.c.weight, self.c.bias, [1, 1], [1, 1], [1, 1], 5)",
       {2, 20, 14, 14},
       {{"c.weight", {20, 4, 3, 3}}, {"c.bias", {20}}},
       {"quantized::conv2d("}},
      {"conv_transpose2d_depthwise_of_many_channels",
       "return torch.conv_transpose2d(x, self.c.weight, self.c.bias, [2, 2], [1, 1], [1, 1], 112)",
       {1, 112, 5, 6},
       {{"c.weight", {112, 1, 3, 3}}, {"c.bias", {112}}},
       {"quantized::conv_transpose2d("}},
      {"conv_transpose2d_to_fewer_channels",
       "return torch.relu(torch.conv_transpose2d(x, self.c.weight, self.c.bias, [2, 2]))",
       {2, 6, 7, 8},
       {{"c.weight", {6, 4, 2, 2}}, {"c.bias", {4}}},
       {"quantized::conv_transpose2d(", "aten::slice("}},
      {"conv_transpose2d_to_more_channels",
       "return torch.conv_transpose2d(x, self.c.weight, self.c.bias, [2, 2], [1, 1], [1, 1])",
       {2, 4, 7, 8},
       {{"c.weight", {4, 6, 3, 3}}, {"c.bias", {6}}},
       {"quantized::cat(", "quantized::conv_transpose2d(", "aten::slice("}},
      {"conv_transpose2d_that_fbgemm_has_a_wrong_kernel_for",
       "return torch.conv_transpose2d(x, self.c.weight, self.c.bias, [2, 2])",
       {2, 8, 7, 8},
       {{"c.weight", {8, 8, 2, 2}}, {"c.bias", {8}}},
       {"quantized::conv_transpose2d(", "aten::slice("}},
      {"conv_transpose2d_to_half_the_channels_behind_a_convolution",
       "x = torch.conv_transpose2d(torch.conv2d(x, self.a.weight), self.b.weight, None, [2, 2]); "
       "return torch.conv2d(torch.relu(x), self.c.weight)",
       {1, 3, 7, 8},
       {{"a.weight", {16, 3, 1, 1}}, {"b.weight", {16, 8, 2, 3}}, {"c.weight", {4, 8, 3, 3}}},
       {"quantized::conv_transpose2d("}},
      {"conv_transpose1d_to_twice_the_channels",
       "return torch.conv_transpose1d(x, self.c.weight, None, [2])",
       {2, 4, 9},
       {{"c.weight", {4, 8, 2}}},
       {"quantized::cat(", "quantized::conv_transpose1d("}},
      {"conv2d_same_with_an_even_kernel",
       "return torch.relu(torch.conv2d(x, self.c.weight, self.c.bias, [1, 1], \"same\", [1, 1], 2))",
       kImage,
       {{"c.weight", {6, 2, 4, 3}}, {"c.bias", {6}}},
       {"quantized::conv2d_relu("}},
      {"conv2d_same_with_an_even_kernel_and_dilation",
       "return torch.conv2d(x, self.c.weight, self.c.bias, [1, 1], \"same\", [3, 1])",
       kImage,
       {{"c.weight", {6, 4, 2, 2}}, {"c.bias", {6}}},
       {"quantized::conv2d(", "aten::slice("}},
      {"conv1d_same_with_an_even_kernel",
       "return torch.conv1d(x, self.c.weight, None, [1], \"same\")",
       {2, 4, 17},
       {{"c.weight", {6, 4, 6}}},
       {"quantized::conv1d("}},
      {"conv2d_same",
       "return torch.conv2d(x, self.c.weight, self.c.bias, [1, 1], \"same\", [2, 1], 4)",
       kImage,
       depthwise,
       {"quantized::conv2d("}},
      {"conv3d",
       "return torch.relu(torch.conv3d(x, self.c.weight, self.c.bias, [1, 2, 1], [1, 1, 1]))",
       {2, 3, 5, 6, 7},
       {{"c.weight", {4, 3, 3, 3, 3}}, {"c.bias", {4}}},
       {"quantized::conv3d_relu("}},
      {"conv_transpose1d",
       "return torch.conv_transpose1d(x, self.c.weight, self.c.bias, [2], [1], [1])",
       {2, 4, 9},
       {{"c.weight", {4, 4, 3}}, {"c.bias", {4}}},
       {"quantized::conv_transpose1d("}},
      {"conv_transpose2d",
       "return torch.relu(torch.conv_transpose2d(x, self.c.weight, self.c.bias, [2, 2], [1, 1], [1, 1]))",
       kImage,
       {{"c.weight", {4, 4, 3, 3}}, {"c.bias", {4}}},
       {"quantized::conv_transpose2d("}},
      {"conv_transpose2d_grouped",
       "return torch.conv_transpose2d(x, self.c.weight, self.c.bias, [1, 2], [1, 1], [0, 1], 2)",
       kImage,
       {{"c.weight", {4, 2, 3, 3}}, {"c.bias", {4}}},
       {"quantized::conv_transpose2d("}},
      {"conv_transpose3d",
       "return torch.conv_transpose3d(x, self.c.weight, self.c.bias, [2, 2, 2])",
       {1, 4, 3, 4, 3},
       {{"c.weight", {4, 4, 2, 2, 2}}, {"c.bias", {4}}},
       {"quantized::conv_transpose3d("}},
      {"linear",
       "return torch.linear(x, self.c.weight, self.c.bias)",
       {5, 12},
       {{"c.weight", {7, 12}}, {"c.bias", {7}}},
       {"quantized::linear("}},
      {"linear_relu_3d",
       "return torch.relu(torch.linear(x, self.c.weight, None))",
       {2, 5, 12},
       {{"c.weight", {7, 12}}},
       {"quantized::linear_relu("}},
      {"addmm",
       "return torch.addmm(self.c.bias, x, torch.t(self.c.weight))",
       {5, 12},
       {{"c.weight", {7, 12}}, {"c.bias", {7}}},
       {"quantized::linear("}},
  };
}

std::vector<OperatorCase> activations() {
  const std::vector<std::string> into_conv = {"quantized::conv2d_relu("};
  return {
      behind_conv("relu", "return torch.relu(x)", into_conv),
      behind_conv("relu_in_place", "return torch.relu_(x)", into_conv),
      behind_conv("relu6", "return torch.relu6(x)", into_conv),
      behind_conv("hardtanh", "return torch.hardtanh(x, 0.0, 1.5)", into_conv),
      behind_conv("hardtanh_both_signs", "return torch.hardtanh(x, -1.0, 1.5)", {"quantized::conv2d("}),
      behind_conv("clamp", "return torch.clamp(x, 0.0, 2.0)", into_conv),
      behind_conv("clamp_min", "return torch.clamp_min(x, 0.0)", into_conv),
      behind_conv("clamp_of_its_own", "return torch.cat([x, torch.clamp(x, -0.5, 1.0)], 1)", {"quantized::cat("}),
      behind_conv("relu6_of_its_own", "return torch.cat([x, torch.relu6(x)], 1)", {"quantized::cat("}),
      behind_conv("relu_of_its_own", "return torch.cat([x, torch.relu(x)], 1)", {"aten::relu(", "quantized::cat("}),
      behind_conv("hardswish", "return torch.hardswish(x)", {"quantized::hardswish("}),
      behind_conv("silu", "return torch.silu(x)", {"quantized::sigmoid(", "quantized::mul("}),
      behind_conv("leaky_relu", "return torch.leaky_relu(x, 0.1)", {"quantized::leaky_relu("}),
      behind_conv("sigmoid", "return torch.sigmoid(x)", {"quantized::sigmoid("}),
      behind_conv("hardsigmoid", "return torch.hardsigmoid(x)", {"aten::hardsigmoid("}),
      behind_conv("tanh", "return torch.tanh(x)", {"aten::tanh("}),
      behind_conv("elu", "return torch.elu(x, 0.7)", {"quantized::elu("}),
  };
}

std::vector<OperatorCase> arithmetic() {
  return {
      behind_conv("add", "return x + torch.sigmoid(x)", {"quantized::add("}),
      behind_conv("add_relu", "return torch.relu(x + torch.tanh(x))", {"quantized::add_relu("}),
      behind_conv("add_in_place", "y = torch.tanh(x); y += x; return y", {"quantized::add("}),
      behind_conv("mul", "return x * torch.sigmoid(x)", {"quantized::mul("}),
      behind_conv("mul_relu", "return torch.relu(x * torch.sigmoid(x))", {"quantized::mul_relu("}),
      behind_conv("mul_broadcast", "return x * torch.sigmoid(torch.adaptive_avg_pool2d(x, [1, 1]))",
                  {"quantized::mul("}),
      behind_conv("cat", "return torch.cat([x, torch.sigmoid(x), x], 1)", {"quantized::cat("}),
      behind_conv("cat_relu", "return torch.relu(torch.cat([x, torch.tanh(x)], -1))", {"quantized::cat"}),
      {"batch_norm",
       "CONV; x = torch.sigmoid(x); return " + std::string(kNorm),
       kImage,
       with_norm(kConvWeights, 8),
       {"quantized::batch_norm("}},
      {"batch_norm_relu",
       "CONV; x = torch.tanh(x); return torch.relu(" + std::string(kNorm) + ")",
       kImage,
       with_norm(kConvWeights, 8),
       {"quantized::batch_norm_relu("}},
      {"batch_norm_2d_data",
       "x = torch.tanh(torch.linear(x, self.c.weight, None)); return " + std::string(kNorm),
       {6, 12},
       with_norm({{"c.weight", {8, 12}}}, 8),
       {"quantized::batch_norm("}},
      {"batch_norm_3d",
       "x = torch.tanh(torch.conv3d(x, self.c.weight)); return torch.relu(" + std::string(kNorm) + ")",
       {1, 3, 5, 6, 5},
       with_norm({{"c.weight", {4, 3, 3, 3, 3}}}, 4),
       {"quantized::batch_norm_relu("}},
  };
}

std::vector<OperatorCase> pools() {
  return {
      {"max_pool1d",
       "x = torch.conv1d(x, self.c.weight); return torch.max_pool1d(x, [3], [2], [1])",
       {2, 4, 17},
       {{"c.weight", {6, 4, 3}}},
       {"aten::max_pool1d("}},
      behind_conv("max_pool2d", "return torch.max_pool2d(x, [3, 2], [2, 2], [1, 1])", {"aten::max_pool2d("}),
      behind_conv("max_pool2d_ceil", "return torch.max_pool2d(x, [3, 3], [2, 2], [0, 0], [1, 1], True)",
                  {"aten::max_pool2d("}),
      behind_conv("avg_pool2d", "return torch.avg_pool2d(x, [3, 2], [2, 2], [1, 1])", {"aten::avg_pool2d("}),
      behind_conv("avg_pool2d_without_pads", "return torch.avg_pool2d(x, [3, 3], [1, 1], [1, 1], True, False)",
                  {"aten::avg_pool2d("}),
      {"avg_pool3d",
       "x = torch.conv3d(x, self.c.weight); return torch.avg_pool3d(x, [2, 2, 2])",
       {1, 3, 6, 6, 6},
       {{"c.weight", {4, 3, 3, 3, 3}}},
       {"aten::avg_pool3d("},
       kAverage},
      behind_conv("adaptive_avg_pool2d", "return torch.adaptive_avg_pool2d(x, [3, 2])", {"aten::adaptive_avg_pool2d("}),
      {"adaptive_avg_pool3d",
       "x = torch.conv3d(x, self.c.weight); return torch.adaptive_avg_pool3d(x, [2, 2, 1])",
       {1, 3, 6, 6, 6},
       {{"c.weight", {4, 3, 3, 3, 3}}},
       {"aten::adaptive_avg_pool3d("},
       kAverage},
      behind_conv("mean", "return torch.mean(x, [2, 3])", {"aten::adaptive_avg_pool2d("}, kAverage),
      behind_conv("mean_keepdim", "return torch.mean(x, [-1, -2], True)", {"aten::adaptive_avg_pool2d("}, kAverage),
      behind_conv("mean_of_rows", "return torch.mean(x, [3])", {"aten::mean("}, kAverage),
      behind_conv("nearest2d", "return torch.upsample_nearest2d(x, [15, 18])", {"aten::upsample_nearest2d("}),
      behind_conv("bilinear2d", "return torch.upsample_bilinear2d(x, [15, 18], False)", {"aten::upsample_bilinear2d("}),
      {"nearest3d",
       "x = torch.conv3d(x, self.c.weight); return torch.upsample_nearest3d(x, [8, 6, 8])",
       {1, 3, 6, 6, 6},
       {{"c.weight", {4, 3, 3, 3, 3}}},
       {"aten::upsample_nearest3d("}},
  };
}

std::vector<OperatorCase> movers() {
  return {
      behind_conv("pad", "return torch.constant_pad_nd(x, [1, 2, 0, 1], 0)", {"aten::constant_pad_nd("}),
      behind_conv("flatten", "return torch.relu(torch.flatten(x, 1))", {"aten::flatten("}),
      behind_conv("reshape", "return torch.reshape(x, [2, 4, -1])", {"aten::reshape("}),
      behind_conv("view", "return torch.sigmoid(torch.contiguous(x).view(2, 2, 4, 10, 9))", {"aten::view("}),
      behind_conv("permute", "return torch.permute(x, [0, 2, 3, 1])", {"aten::permute("}),
      behind_conv("transpose", "return torch.transpose(x, 1, 3)", {"aten::transpose("}),
      behind_conv("squeeze", "return torch.squeeze(torch.unsqueeze(x, 2), 2)", {"aten::unsqueeze(", "aten::squeeze("}),
      behind_conv("slice", "return x[:, 2:7:2, :, 1:]", {"aten::slice("}),
      behind_conv("select", "return x[:, 3]", {"aten::select("}),
      behind_conv("chunk", "a, b = torch.chunk(x, 2, 1); return torch.cat([b, a], 1)",
                  {"aten::chunk(", "quantized::cat("}),
      behind_conv("split", "a, b = torch.split(x, 4, 1); return torch.cat([b, a], 1)",
                  {"aten::split(", "quantized::cat("}),
      behind_conv("split_with_sizes", "a, b = torch.split_with_sizes(x, [3, 5], 1); return torch.cat([b, a], 1)",
                  {"aten::split_with_sizes(", "quantized::cat("}),
      behind_conv("shuffle_by_hand",
                  "x = torch.transpose(x.view(2, 2, 4, 10, 9), 1, 2); return torch.reshape(x, [2, 8, 10, 9])",
                  {"aten::transpose(", "aten::reshape("}),
      behind_conv("channel_shuffle", "return torch.channel_shuffle(x, 4)", {"aten::channel_shuffle("}),
      behind_conv("pixel_shuffle", "return torch.pixel_shuffle(x, 2)", {"aten::pixel_shuffle("}),
  };
}

}  // namespace

std::vector<OperatorCase> operator_cases() {
  std::vector<OperatorCase> all;
  for (auto* part : {convolutions, activations, arithmetic, pools, movers})
    for (OperatorCase& each : part()) all.push_back(std::move(each));
  return all;
}

std::string source_of(std::string body) {
  if (body.starts_with("CONV")) body.replace(0, 4, kConv);
  std::string source = "def forward(self, x):\n";
  std::size_t begin = 0;
  for (auto end = body.find("; "); begin != std::string::npos; end = body.find("; ", begin)) {
    source += "    " + body.substr(begin, end - begin) + "\n";
    begin = end == std::string::npos ? end : end + 2;
  }
  return source;
}

void PrintTo(const OperatorCase& each, std::ostream* out) { *out << each.body; }

}  // namespace fusekit::test
