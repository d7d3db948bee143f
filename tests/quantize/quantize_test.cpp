// Whole networks to int8: what becomes int8, how near it stays, what is refused, and that the file runs everywhere.
#include "fusekit/quantize.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/error.h"
#include "fusekit/runtime.h"
#include "fusekit/write.h"
#include "ir/model_parts.h"
#include "ir/program.h"
#include "runtime/resident_memory.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using test::count_of;
using test::has;
using test::refuses;

using Tensors = std::map<std::string, at::Tensor>;

const char* const kResidual =
    "def forward(self, x):\n"
    "    a = torch.relu(torch.conv2d(x, self.c1.weight, self.c1.bias, [1, 1], [1, 1], [1, 1], 1))\n"
    "    b = torch.conv2d(a, self.c2.weight, self.c2.bias, [1, 1], [1, 1], [1, 1], 4)\n"
    "    c = torch.relu(a + b)\n"
    "    d = torch.flatten(torch.adaptive_avg_pool2d(torch.cat([c, a], 1), [2, 2]), 1)\n"
    "    return torch.linear(d, self.fc.weight, self.fc.bias)\n";

Tensors residual_weights() {
  at::manual_seed(1);
  return {{"c1.weight", at::randn({8, 3, 3, 3}) / 5}, {"c1.bias", at::randn({8})},
          {"c2.weight", at::randn({8, 2, 3, 3}) / 4}, {"c2.bias", at::randn({8})},
          {"fc.weight", at::randn({5, 64}) / 8},      {"fc.bias", at::randn({5})}};
}

/// A network from source, quantized on random samples of one shape and written.
class Quantized {
 public:
  Quantized(const Tensors& tensors, const std::string& source, std::vector<std::int64_t> shape,
            QuantizeOptions options = {}) {
    test::save_module(test::make_module("Net", tensors, source), folder_ / "float.pt");
    if (options.calibration.random == 0) options.calibration.random = 6;
    options.calibration.inputs.dims = {std::move(shape)};
    options.calibration.inputs.types = {"float"};
    Model model = read(folder_ / "float.pt");
    report = to_int8(model, options);
    written = write(std::move(model), folder_ / "int8.pt");
    original = torch::jit::load(folder_ / "float.pt");
    module = torch::jit::load(folder_ / "int8.pt");
  }

  [[nodiscard]] std::string graph() { return module.get_method("forward").graph()->toString(false); }

  /// SQNR in dB on an input that calibration has not seen, the worst of three runs.
  double sqnr(at::IntArrayRef shape) {
    const torch::NoGradGuard no_grad;
    at::manual_seed(77);
    const at::Tensor x = at::randn(shape);
    const at::Tensor truth = original.forward({x}).toTensor();
    double worst = INFINITY;
    for (int run = 0; run < 3; ++run) {
      const at::Tensor got = torch::jit::load(folder_ / "int8.pt").forward({x}).toTensor();
      worst = std::min(worst, 10 * std::log10((truth.square().sum() / (truth - got).square().sum()).item<double>()));
    }
    return worst;
  }

  QuantizeReport report;
  WriteReport written;
  torch::jit::Module original;
  torch::jit::Module module;

 private:
  test::TemporaryFolder folder_;
};

TEST(Quantize, AResidualNetworkIsInt8FromEndToEnd) {
  Quantized net(residual_weights(), kResidual, {2, 3, 12, 12});
  EXPECT_EQ(net.report.layers.size(), 3U);
  EXPECT_DOUBLE_EQ(net.report.int8_macs, 1);
  const std::string graph = net.graph();
  for (const char* name : {"quantized::conv2d_relu", "quantized::conv2d(", "quantized::add_relu", "quantized::cat",
                           "quantized::linear", "aten::adaptive_avg_pool2d"})
    EXPECT_TRUE(has(graph, name)) << name << "\n" << graph;
  EXPECT_FALSE(has(graph, "aten::relu")) << graph;
  EXPECT_EQ(graph.find("aten::quantize_per_tensor"), graph.rfind("aten::quantize_per_tensor"));
  EXPECT_GT(net.sqnr({2, 3, 12, 12}), 25);
  EXPECT_TRUE(net.written.written);
  EXPECT_EQ(net.written.methods.at(0).report->inputs, "calibration samples");
}

TEST(Quantize, TheFileRunsUnderEveryEngine) {
  Quantized net(residual_weights(), kResidual, {1, 3, 12, 12}, {.qconfig = Qconfig::qnnpack});
  const at::QEngine before = at::globalContext().qEngine();
  for (const std::string& engine : quantized_engines()) {
    apply({.threads = 0, .engine = engine});
    EXPECT_GT(net.sqnr({1, 3, 12, 12}), 20) << engine;
  }
  at::globalContext().setQEngine(before);
}

TEST(Quantize, PackedWeightsLiveWhereTheWeightsLived) {
  Quantized net(residual_weights(), kResidual, {1, 3, 12, 12});
  EXPECT_TRUE(net.module.attr("c1").toModule().hasattr("_packed_params"));
  EXPECT_FALSE(net.module.attr("c1").toModule().hasattr("weight"));
}

TEST(Quantize, AClampIsTheEndOfTheLevels) {
  Tensors weights = residual_weights();
  for (const char* unused : {"c2.weight", "c2.bias", "fc.weight", "fc.bias"}) weights.erase(unused);
  const std::string plain =
      "def forward(self, x):\n    return torch.clamp(torch.conv2d(x, self.c1.weight, self.c1.bias), 0.0, 0.5)\n";
  Quantized net(weights, plain, {1, 3, 9, 9});
  EXPECT_TRUE(has(net.graph(), "quantized::conv2d_relu")) << net.graph();
  EXPECT_FALSE(has(net.graph(), "aten::clamp"));
  const torch::NoGradGuard no_grad;
  EXPECT_LE(net.module.forward({at::randn({1, 3, 9, 9}) * 10}).toTensor().max().item<double>(), 0.5 + 1e-3);
}

const char* const kTwoActivations =
    "def forward(self, x):\n"
    "    a = torch.relu(torch.conv2d(x, self.c1.weight, self.c1.bias))\n"
    "    return torch.relu(torch.linear(a.mean([2, 3]), self.fc.weight, self.fc.bias))\n";

Tensors two_layers() {
  Tensors weights = residual_weights();
  weights.erase("c2.weight");
  weights.erase("c2.bias");
  weights["fc.weight"] = at::randn({5, 8}) / 3;
  return weights;
}

TEST(Quantize, WithoutFusingEachActivationIsAnOperatorOfItsOwn) {
  Quantized fused(two_layers(), kTwoActivations, {1, 3, 9, 9});
  EXPECT_EQ(count_of("aten::relu", fused.graph()), 0U) << fused.graph();
  Quantized net(two_layers(), kTwoActivations, {1, 3, 9, 9}, {.fuse = false});
  EXPECT_EQ(count_of("aten::relu", net.graph()), 2U) << net.graph();
  EXPECT_EQ(count_of("_relu", net.graph()), 0U) << net.graph();
  EXPECT_EQ(count_of("aten::quantize_per_tensor", net.graph()), 1U) << net.graph();
  EXPECT_GT(net.sqnr({1, 3, 9, 9}), 25);
}

TEST(Quantize, WhatIsSkippedStaysFloat) {
  Quantized net(residual_weights(), kResidual, {1, 3, 12, 12}, {.skip = {"c2"}});
  EXPECT_TRUE(has(net.graph(), "aten::conv2d"));
  EXPECT_LT(net.report.int8_macs, 1);
  EXPECT_GT(net.sqnr({1, 3, 12, 12}), 25);
}

TEST(Quantize, LayersGoBackToFloatUntilTheBoundHolds) {
  const double free = Quantized(residual_weights(), kResidual, {1, 3, 12, 12}).report.whole.sqnr_db;
  Quantized net(residual_weights(), kResidual, {1, 3, 12, 12}, {.min_sqnr_db = free + 2});
  EXPECT_TRUE(net.report.bound_holds);
  EXPECT_GE(net.report.whole.sqnr_db, free + 2);
  EXPECT_FALSE(net.report.fallbacks.empty());
  EXPECT_LT(net.report.fallbacks.size(), 3U);
  EXPECT_GT(net.report.fallback_time, 0);
  EXPECT_NE(net.report.fallback_time, 1) << "was not measured";
}

TEST(Quantize, RefusesWhatIsWrong) {
  const auto with = [](const QuantizeOptions& options, std::vector<std::int64_t> shape = {1, 3, 12, 12}) {
    return [=] { Quantized(residual_weights(), kResidual, shape, options); };
  };
  EXPECT_TRUE(refuses(ErrorKind::usage, "nowhere", with({.skip = {"nowhere"}})));
  EXPECT_TRUE(refuses(ErrorKind::input, "random[0] does not fit the network", with({}, {1, 4, 12, 12})));
  EXPECT_TRUE(refuses(ErrorKind::model, "no convolution or linear that could be int8", [] {
    Quantized({}, "def forward(self, x):\n    return x + 1\n", {1, 3});
  }));
}

TEST(Quantize, WhatIsSkippedIsThatModuleAndWhatIsInIt) {
  at::manual_seed(5);
  const Quantized net({{"c1.weight", at::randn({3, 3, 3, 3}) / 5}, {"c10.weight", at::randn({3, 3, 3, 3}) / 5}},
                      "def forward(self, x):\n"
                      "    return torch.conv2d(torch.conv2d(x, self.c1.weight), self.c10.weight)\n",
                      {1, 3, 9, 9}, {.skip = {"c1"}});
  ASSERT_EQ(net.report.layers.size(), 2U);
  for (const LayerCost& layer : net.report.layers) EXPECT_EQ(layer.int8, layer.path == "c10") << layer.path;
}

TEST(Quantize, WhatLiesAboveTheLevelsOfAReluCounts) {
  at::manual_seed(5);
  const Quantized net({{"c1.weight", at::randn({4, 3, 1, 1})}},
                      "def forward(self, x):\n    return torch.relu(torch.conv2d(x, self.c1.weight))\n", {2, 3, 64, 64},
                      {.observer = ObserverKind::percentile});
  EXPECT_GT(net.report.layers.at(0).saturated, 0);
  EXPECT_LT(net.report.layers.at(0).saturated, 0.01);
}

TEST(Quantize, AGroupIsOneInt8Operator) {
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", residual_weights(), kResidual), folder / "float.pt");
  Model model = read(folder / "float.pt");
  QuantizeOptions options;
  options.calibration.random = 2;
  options.calibration.inputs.dims = {{1, 3, 12, 12}};
  options.calibration.inputs.types = {"float"};
  to_int8(model, options);
  std::vector<std::string> names;
  const ir::Program& program = ModelParts::of(model).program;
  for (const auto& [number, group] : program.groups)
    for (const ir::Node* node : ir::nodes_of_group(program, number)) names.emplace_back(node->kind().toQualString());
  EXPECT_EQ(names, std::vector<std::string>{"quantized::conv2d_relu"});
}

TEST(Quantize, ANaNIsNamedWithItsLayer) {
  Tensors weights = residual_weights();
  weights["c2.bias"][0] = NAN;
  try {
    [[maybe_unused]] const Quantized unreached(weights, kResidual, {1, 3, 12, 12});
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(has(error.message(), "NaN")) << error.message();
    EXPECT_TRUE(has(error.message(), "c2")) << error.message();
    EXPECT_TRUE(has(error.message(), "random[0]")) << error.message();
  }
}

TEST(Quantize, SplitsAndShufflesPassTheirScaleOn) {
  const std::string source =
      "def forward(self, x):\n"
      "    a = torch.relu(torch.conv2d(x, self.c1.weight, self.c1.bias))\n"
      "    b, c = torch.chunk(a, 2, 1)\n"
      "    d = torch.cat([c, torch.max_pool2d(b, [3, 3], [1, 1], [1, 1])], 1)\n"
      "    e = d.view(1, 2, 4, 7, 7).transpose(1, 2).reshape(1, 8, 7, 7)\n"
      "    return torch.conv2d(e, self.c2.weight, self.c2.bias, [1, 1], [0, 0], [1, 1], 4)\n";
  Tensors weights = residual_weights();
  weights.erase("fc.weight");
  weights.erase("fc.bias");
  Quantized net(weights, source, {1, 3, 9, 9});
  EXPECT_EQ(net.graph().find("aten::quantize_per_tensor"), net.graph().rfind("aten::quantize_per_tensor"))
      << net.graph();
  EXPECT_GT(net.sqnr({1, 3, 9, 9}), 25);
}

/// A block of ShuffleNet: a part is passed on, and put together with the other again.
const char* const kShuffleBlock =
    "def forward(self, x):\n"
    "    a = torch.relu(torch.conv2d(x, self.c1.weight, self.c1.bias))\n"
    "    b, c = torch.chunk(a, 2, 1)\n"
    "    d = torch.cat([b, torch.max_pool2d(c, [3, 3], [1, 1], [1, 1])], 1)\n"
    "    n, k, h, w = d.size()\n"
    "    e = d.view(n, 2, k // 2, h, w).transpose(1, 2).contiguous().view(n, k, h, w)\n"
    "    return RESULT\n";

std::string shuffle_block(const std::string& result) {
  std::string source = kShuffleBlock;
  return source.replace(source.find("RESULT"), 6, result);
}

Tensors convolutions_of_residual() {
  Tensors weights = residual_weights();
  weights.erase("fc.weight");
  weights.erase("fc.bias");
  return weights;
}

TEST(Quantize, AShuffleWrittenOutIsOneOperator) {
  Quantized net(convolutions_of_residual(),
                shuffle_block("torch.conv2d(e, self.c2.weight, self.c2.bias, [1, 1], [0, 0], [1, 1], 4)"),
                {1, 3, 9, 9});
  EXPECT_EQ(count_of("aten::channel_shuffle(", net.graph()), 1U) << net.graph();
  EXPECT_EQ(count_of("aten::transpose(", net.graph()), 0U) << net.graph();
  EXPECT_GT(net.sqnr({1, 3, 9, 9}), 25);
  EXPECT_GT(net.sqnr({2, 3, 12, 7}), 25);
}

TEST(Quantize, AShuffleStaysWrittenOutWhereItsRowsAreRead) {
  Quantized net(convolutions_of_residual(), shuffle_block("torch.sigmoid(torch.chunk(e, 2, 1)[0].view(n, -1))"),
                {1, 3, 9, 9});
  EXPECT_EQ(count_of("aten::channel_shuffle(", net.graph()), 0U) << net.graph();
}

TEST(Quantize, APartThatIsASliceIsMadeDenseForTheCat) {
  Quantized net(convolutions_of_residual(), shuffle_block("torch.sigmoid(e)"), {1, 3, 9, 9});
  const std::string graph = net.graph();
  EXPECT_LT(graph.find("aten::contiguous("), graph.find("quantized::cat(")) << graph;
}

TEST(Quantize, APictureIsPutIntoChannelsLastByAShuffle) {
  for (const std::int64_t side : {48, 12}) {
    Quantized net(convolutions_of_residual(),
                  "def forward(self, x):\n    return torch.conv2d(x, self.c1.weight, self.c1.bias)\n",
                  {1, 3, side, side});
    EXPECT_EQ(count_of("aten::channel_shuffle(", net.graph()), side == 48 ? 1U : 0U) << net.graph();
    EXPECT_GT(net.sqnr({2, 3, side, side}), 25);
    EXPECT_GT(net.sqnr({1, 3, 2 * side, side}), 25);
  }
}

TEST(Quantize, AConvolutionMakesAsManyChannelsAsAMaximumTakesAtOnce) {
  at::manual_seed(2);
  const Tensors weights = {{"a.weight", at::randn({24, 3, 3, 3}) / 5},
                           {"a.bias", at::randn({24})},
                           {"b.weight", at::randn({5, 24, 1, 1}) / 5}};
  const std::string pooled =
      "    y = torch.relu(torch.conv2d(x, self.a.weight, self.a.bias))\n"
      "    z = torch.max_pool2d(y, [3, 3], [2, 2], [1, 1])\n";
  const auto cuts = [&](const std::string& result, Qconfig qconfig = Qconfig::automatic) {
    QuantizeOptions options;
    options.qconfig = qconfig;
    Quantized net(weights, "def forward(self, x):\n" + pooled + "    return " + result + "\n", {2, 3, 9, 9}, options);
    EXPECT_GT(net.sqnr({2, 3, 9, 9}), 25);
    EXPECT_GT(net.sqnr({1, 3, 20, 7}), 25);
    for (const LayerCost& layer : net.report.layers) EXPECT_GT(layer.sqnr_db, 20) << layer.path;
    return count_of("aten::slice(", net.graph());
  };
  EXPECT_EQ(cuts("torch.conv2d(z, self.b.weight)"), 1U);
  EXPECT_EQ(cuts("torch.sigmoid(z)"), 1U);
  EXPECT_EQ(cuts("torch.sigmoid(torch.cat([torch.flatten(z, 1), torch.flatten(y, 1)], 1))"), 0U)
      << "y is read by others, too";
  EXPECT_EQ(cuts("torch.conv2d(z, self.b.weight)", Qconfig::qnnpack), 0U) << "qnnpack has another kernel";
}

TEST(Quantize, AGrowingListIsPutTogetherOnce) {
  Quantized net(convolutions_of_residual(),
                "def forward(self, x):\n"
                "    a = torch.relu(torch.conv2d(x, self.c1.weight, self.c1.bias, [1, 1], [1, 1]))\n"
                "    b = torch.conv2d(a, self.c2.weight, self.c2.bias, [1, 1], [1, 1], [1, 1], 4)\n"
                "    c = torch.max_pool2d(torch.cat([a, b], 1), [3, 3], [1, 1], [1, 1])\n"
                "    return torch.sigmoid(torch.cat([a, b, c], 1))\n",
                {1, 3, 9, 9});
  std::vector<std::size_t> parts;
  const auto graph = net.module.get_method("forward").graph();
  for (const torch::jit::Node* node : graph->nodes())
    if (node->kind().toQualString() == std::string("quantized::cat"))
      parts.push_back(node->input(0)->node()->inputs().size());
  EXPECT_EQ(parts, (std::vector<std::size_t>{2, 2})) << *graph;
  EXPECT_GT(net.sqnr({1, 3, 9, 9}), 25);
}

/// Scales of the outputs of all operators of that name, in the graph's order.
std::vector<double> scales_of(const torch::jit::Graph& graph, const char* name, std::size_t input) {
  std::vector<double> scales;
  for (const torch::jit::Node* node : graph.nodes())
    if (node->kind().toQualString() == std::string(name))
      scales.push_back(torch::jit::toIValue(node->input(input))->toDouble());
  return scales;
}

TEST(Quantize, WhatAnActivationCannotTellApartTakesNoLevels) {
  at::manual_seed(8);
  Quantized net({{"c1.weight", at::randn({4, 3, 3, 3}) * 4}},
                "def forward(self, x):\n    return torch.sigmoid(torch.conv2d(x, self.c1.weight))\n", {1, 3, 10, 10});
  const auto scales = scales_of(*net.module.get_method("forward").graph(), "quantized::conv2d", 2);
  ASSERT_EQ(scales.size(), 1U) << net.graph();
  EXPECT_LT(scales[0], 13.1 / 127) << "-6.5 to 6.5 matter to the sigmoid, the convolution gives -60 to 60";
}

// As torchvision's DenseNet collects its features.
TEST(Quantize, AListThatGrowsIsReadAsItStandsAtEachPlace) {
  at::manual_seed(8);
  const Tensors tensors{{"c0.weight", at::randn({3, 3, 1, 1})},
                        {"c1.weight", at::randn({4, 3, 3, 3}) / 5},
                        {"c2.weight", at::randn({4, 7, 3, 3}) / 8},
                        {"c3.weight", at::randn({5, 11, 1, 1}) / 3}};
  Quantized net(tensors,
                "def forward(self, x):\n"
                "    features = [torch.conv2d(x, self.c0.weight)]\n"
                "    a = torch.conv2d(torch.cat(features, 1), self.c1.weight, None, [1, 1], [1, 1], [1, 1], 1)\n"
                "    features.append(a)\n"
                "    b = torch.conv2d(torch.cat(features, 1), self.c2.weight, None, [1, 1], [1, 1], [1, 1], 1)\n"
                "    features.append(b)\n"
                "    return torch.conv2d(torch.cat(features, 1), self.c3.weight, None, [1, 1], [0, 0], [1, 1], 1)\n",
                {1, 3, 10, 10});
  EXPECT_EQ(net.report.layers.size(), 4U);
  const auto graph = net.module.get_method("forward").graph();
  const std::vector<double> cats = scales_of(*graph, "quantized::cat", 2);
  const std::vector<double> convolutions = scales_of(*graph, "quantized::conv2d", 2);
  ASSERT_EQ(cats.size(), 3U) << net.graph();
  ASSERT_EQ(convolutions.size(), 4U) << net.graph();
  const std::vector<double> shared = {cats[0], cats[1], convolutions[0], convolutions[1], convolutions[2]};
  EXPECT_EQ(shared, std::vector<double>(5, cats[2])) << "each cat rounds the levels anew";
  EXPECT_NE(convolutions[3], cats[2]);
  EXPECT_GT(net.sqnr({1, 3, 10, 10}), 25);
}

TEST(Quantize, AConvolutionThatNotOnlyACatReadsKeepsItsScale) {
  Quantized net(residual_weights(), kResidual, {2, 3, 12, 12});
  const auto graph = net.module.get_method("forward").graph();
  EXPECT_NE(scales_of(*graph, "quantized::conv2d_relu", 2), scales_of(*graph, "quantized::cat", 2));
  EXPECT_EQ(scales_of(*graph, "quantized::add_relu", 2), scales_of(*graph, "quantized::cat", 2));
}

TEST(Quantize, WhatAFloatOperatorGivesToACatIsQuantizedToItsScale) {
  at::manual_seed(8);
  Quantized net({{"c1.weight", at::randn({4, 3, 3, 3}) / 5}},
                "def forward(self, x):\n"
                "    a = torch.conv2d(x, self.c1.weight, None, [1, 1], [1, 1], [1, 1], 1)\n"
                "    return torch.cat([a, torch.sin(x)], 1)\n",
                {1, 3, 10, 10});
  const auto graph = net.module.get_method("forward").graph();
  EXPECT_EQ(scales_of(*graph, "aten::quantize_per_tensor", 1).at(1), scales_of(*graph, "quantized::cat", 2).at(0));
  EXPECT_GT(net.sqnr({1, 3, 10, 10}), 25);
}

TEST(Quantize, AListThatABranchAppendsToStaysFloat) {
  at::manual_seed(8);
  const Tensors tensors{{"c1.weight", at::randn({4, 3, 3, 3}) / 5}};
  Quantized net(tensors,
                "def forward(self, x):\n"
                "    a = torch.conv2d(x, self.c1.weight, None, [1, 1], [1, 1], [1, 1], 1)\n"
                "    parts = [a]\n"
                "    if x.size(0) < 5:\n"
                "        parts.append(a + a)\n"
                "    return torch.cat(parts, 1)\n",
                {1, 3, 10, 10});
  EXPECT_FALSE(has(net.graph(), "quantized::cat")) << net.graph();
  EXPECT_GT(net.sqnr({1, 3, 10, 10}), 25);
  EXPECT_EQ(net.module.forward({at::randn({1, 3, 10, 10})}).toTensor().size(1), 8);
}

TEST(Quantize, MoreSamplesTakeNoMoreMemory) {
  at::manual_seed(9);
  // The peak of this call alone: earlier ones, and other tests in this process, may have taken more.
  const auto peak_of = [](int samples) {
    runtime::reset_peak_resident();
    QuantizeOptions options{.rounding = Rounding::nearest};
    options.calibration.random = samples;
    const Quantized net({{"c1.weight", at::randn({2, 1, 8, 8}) / 8}},
                        "def forward(self, x):\n    return torch.conv2d(x, self.c1.weight, None, [8, 8])\n",
                        {1, 1, 512, 512}, options);
    EXPECT_EQ(net.report.samples, samples);
    return runtime::peak_resident_kib();
  };
  peak_of(80);  // what is allocated once
  const std::int64_t few = peak_of(80);
  EXPECT_LT(peak_of(280) - few, 70 * 1024) << "200 MiB of samples more";
}

// Boxes so small that int8's error moves most of them off: what was measured in memory is what the file is held to.
TEST(Quantize, LostDetectionsAreToldAndAllowed) {
  test::TemporaryFolder folder;
  at::manual_seed(4);
  const std::string source =
      "def forward(self, x) -> Dict[str, Tensor]:\n"
      "    f = torch.flatten(torch.conv2d(x, self.c.weight))\n"
      "    boxes = torch.stack([f, f, f + 0.1, f + 0.1], 1)\n"
      "    return {'boxes': boxes, 'scores': torch.sigmoid(f)}\n";
  test::save_module(test::make_module("Net", {{"c.weight", at::randn({4, 3, 3, 3})}}, source), folder / "float.pt");
  QuantizeOptions options;
  options.rounding = Rounding::nearest;
  options.calibration.random = 4;
  options.calibration.inputs.dims = {std::vector<std::int64_t>{1, 3, 8, 8}};
  options.calibration.inputs.types = {"float"};
  Model model = read(folder / "float.pt");
  const QuantizeReport report = to_int8(model, options);
  EXPECT_GT(report.lost_detections, 0.5);
  EXPECT_LT(report.lost_detections, 1);
  EXPECT_TRUE(write(std::move(model), folder / "int8.pt").written);
  VerifyOptions judged;
  judged.inputs = options.calibration.inputs;
  const VerifyReport compared = verify(folder / "float.pt", folder / "int8.pt", judged);
  EXPECT_EQ(compared.most_alone, 0.5);
  EXPECT_GT(compared.detections - compared.matched, compared.detections / 4);
}

}  // namespace
}  // namespace fusekit
