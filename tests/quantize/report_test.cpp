// What the report says of a network: shares of the work, what was not proven, and what is refused with a word.
#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <cmath>

#include "fusekit/error.h"
#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

using test::refuses;
using Sizes = std::vector<std::int64_t>;

class QuantizeReports : public testing::Test {
 protected:
  QuantizeReports() {
    at::manual_seed(4);
    options_.calibration.random = 4;
    options_.calibration.inputs.types = {"float"};
  }

  QuantizeReport quantize(const std::map<std::string, at::Tensor>& tensors, const std::string& source, Sizes shape) {
    test::save_module(test::make_module("Net", tensors, source), folder_ / "float.pt");
    options_.calibration.inputs.dims = {std::move(shape)};
    Model model = read(folder_ / "float.pt");
    QuantizeReport report = to_int8(model, options_);
    written_ = write(std::move(model), folder_ / "int8.pt", {.force = true}).written;
    return report;
  }

  /// SQNR in dB of the written file on the first inputs of the calibration's kind, with all defaults.
  double sqnr(const at::Tensor& x) {
    const torch::NoGradGuard no_grad;
    const at::Tensor truth = torch::jit::load(folder_ / "float.pt").forward({x}).toTensor();
    const at::Tensor got = torch::jit::load(folder_ / "int8.pt").forward({x}).toTensor();
    return 20 * std::log10((truth.norm() / (truth - got).norm()).item<double>());
  }

  test::TemporaryFolder folder_;
  QuantizeOptions options_;
  bool written_ = false;
};

std::map<std::string, at::Tensor> two_convolutions() {
  return {{"a.weight", at::randn({8, 3, 3, 3}) / 5}, {"b.weight", at::randn({4, 8, 1, 1}) / 3}};
}

TEST_F(QuantizeReports, ArgumentsThatSamplesLeaveOutHaveTheirDefaults) {
  for (const char* source :
       {"def forward(self, x, scale: float = 2.0):\n"
        "    return torch.conv2d(torch.relu(torch.conv2d(x, self.a.weight)) * scale, self.b.weight)\n",
        "def forward(self, x, m: Optional[Tensor] = None):\n"
        "    y = torch.relu(torch.conv2d(x, self.a.weight))\n"
        "    if m is not None:\n        y = y * m\n"
        "    return torch.conv2d(y, self.b.weight)\n",
        "def forward(self, x, sizes: List[int] = [1, 1], on: bool = True):\n"
        "    y = torch.conv2d(x, self.a.weight)\n"
        "    if on:\n        y = torch.relu(y)\n"
        "    return torch.conv2d(y, self.b.weight, None, sizes)\n"}) {
    for (const Rounding rounding : {Rounding::nearest, Rounding::corrected, Rounding::learned}) {
      options_.rounding = rounding;
      const QuantizeReport report = quantize(two_convolutions(), source, {2, 3, 9, 9});
      EXPECT_TRUE(written_);
      EXPECT_GT(sqnr(at::randn({2, 3, 9, 9})), 20) << source;
    }
  }
}

TEST_F(QuantizeReports, ADeclinedLayerCountsAsWork) {
  options_.skip = {"b"};
  const QuantizeReport report =
      quantize(two_convolutions(),
               "def forward(self, x):\n"
               "    return torch.conv2d(torch.sin(torch.conv2d(x, self.a.weight)), self.b.weight)\n",
               {1, 3, 9, 9});
  const double first = 8 * 3 * 9 * 49;
  const double second = 4 * 8 * 49;
  EXPECT_DOUBLE_EQ(report.macs, first + second);
  EXPECT_DOUBLE_EQ(report.int8_macs, first / (first + second));
}

TEST_F(QuantizeReports, WhatMultipliesBesideLayersCountsAsWork) {
  const std::map<std::string, at::Tensor> weights = {
      {"q.weight", at::randn({16, 8}) / 3}, {"g.ih", at::randn({12, 16})}, {"g.hh", at::randn({12, 4})}};
  const double layer = 2 * 5 * 16 * 8;
  struct Case {
    std::string body;
    std::string operation;
    double macs;
  };
  for (const Case& each : {
           Case{"return torch.matmul(y, torch.transpose(y, 1, 2))", "matmul", 2 * 5 * 5 * 16},
           Case{"return torch.bmm(y, torch.transpose(y, 1, 2))", "bmm", 2 * 5 * 5 * 16},
           Case{"return torch.matmul(y[0], torch.transpose(y, 1, 2))", "matmul", 2 * 5 * 5 * 16},
           Case{"return torch.einsum(\"bik, bjk -> bij\", [y, y])", "einsum", 2 * 5 * 5 * 16},
           Case{"return torch.scaled_dot_product_attention(y, y, y)", "scaled_dot_product_attention",
                2 * 2 * 5 * 5 * 16},
           Case{"h = torch.zeros([1, 2, 4])\n"
                "    return torch.gru(y, h, [self.g.ih, self.g.hh], False, 1, 0.0, False, False, True)[0]",
                "gru", 2 * 5 * 12 * (16 + 4)},
           Case{"z = torch.zeros([5, 5])\n    for i in range(3):\n        z = z + torch.mm(y[0], torch.t(y[1]))\n"
                "    return z",
                "mm", 3 * 5 * 5 * 16},
       }) {
    if (TORCH_VERSION_MAJOR < 2 && each.operation == "scaled_dot_product_attention")
      continue;  // it has no such operator
    const QuantizeReport report = quantize(
        weights, "def forward(self, x):\n    y = torch.linear(x, self.q.weight)\n    " + each.body + "\n", {2, 5, 8});
    ASSERT_FALSE(report.others.empty()) << each.body;
    double others = 0;
    for (const LayerCost& other : report.others) {
      EXPECT_EQ(other.operation, each.operation);
      EXPECT_EQ(other.reason.code, ReasonCode::no_int8_operator);
      others += other.macs;
    }
    EXPECT_DOUBLE_EQ(others, each.macs) << each.body;
    EXPECT_DOUBLE_EQ(report.macs, layer + each.macs) << each.body;
    EXPECT_DOUBLE_EQ(report.int8_macs, layer / (layer + each.macs)) << each.body;
  }
}

TEST_F(QuantizeReports, OutputsOfZerosProveNothing) {
  std::map<std::string, at::Tensor> weights = two_convolutions();
  weights["b.weight"].zero_();
  const char* source =
      "def forward(self, x):\n    return torch.conv2d(torch.relu(torch.conv2d(x, self.a.weight)), self.b.weight)\n";
  const QuantizeReport zeros = quantize(weights, source, {1, 3, 9, 9});
  EXPECT_TRUE(zeros.nothing_proven);
  EXPECT_FALSE(std::isnan(zeros.whole.cosine));
  EXPECT_TRUE(written_);
  EXPECT_FALSE(quantize(two_convolutions(), source, {1, 3, 9, 9}).nothing_proven);
}

TEST_F(QuantizeReports, ABoundThatNoInt8LayerHoldsLeavesAFloatNetworkThatCanBeWritten) {
  options_.min_sqnr_db = 200;
  const QuantizeReport report = quantize(
      two_convolutions(),
      "def forward(self, x):\n    return torch.conv2d(torch.conv2d(x, self.a.weight), self.b.weight)\n", {1, 3, 9, 9});
  EXPECT_EQ(report.fallbacks.size(), 2U);
  EXPECT_TRUE(report.bound_holds);
  EXPECT_TRUE(written_);
}

TEST_F(QuantizeReports, SaysWhatIsWrongWithACall) {
  const char* source =
      "def forward(self, x):\n    return torch.conv2d(torch.conv2d(x, self.a.weight), self.b.weight)\n";
  const auto again = [&] { quantize(two_convolutions(), source, {1, 3, 9, 9}); };
  again();
  EXPECT_TRUE(refuses(ErrorKind::model, "is int8 already", [&] {
    Model model = read(folder_ / "int8.pt");
    to_int8(model, options_);
  }));
  options_.fuse_options.modules = {{"a", "nosuch"}};
  EXPECT_TRUE(refuses(ErrorKind::usage, "nosuch: there is no such module", again));
  options_.fuse_options.modules = {};
  options_.calibration.inputs.file = folder_ / "one.pt";
  EXPECT_TRUE(refuses(ErrorKind::usage, "the inputs of a file are given", again));
}

TEST_F(QuantizeReports, WhatNoSampleReachesIsToldOfLayersAlone) {
  const QuantizeReport report =
      quantize(two_convolutions(),
               "def forward(self, x):\n"
               "    y = torch.conv2d(x, self.a.weight)\n"
               "    if x.dim() == 3:\n"
               "        y = torch.squeeze(torch.unsqueeze(y, 0), 0)\n"
               "    return torch.conv2d(torch.constant_pad_nd(y, [1, 1], 3.0), self.b.weight)\n",
               {1, 3, 9, 9});
  ASSERT_EQ(report.floats.size(), 1U);
  EXPECT_EQ(report.floats[0].operation, "constant_pad_nd");
  EXPECT_EQ(report.floats[0].reason.code, ReasonCode::pads_with_value);
}

TEST_F(QuantizeReports, APlainLoadIsTimedAgainstTheOriginal) {
  const QuantizeReport report = quantize(
      two_convolutions(),
      "def forward(self, x):\n    return torch.conv2d(torch.conv2d(x, self.a.weight), self.b.weight)\n", {1, 3, 9, 9});
  CalibrationOptions calibration = options_.calibration;
  calibration.inputs = report.inputs;
  const at::QEngine before = at::globalContext().qEngine();
  const PlainLoad load = time_plain_load(folder_ / "float.pt", folder_ / "int8.pt", calibration);
  EXPECT_EQ(at::globalContext().qEngine(), before);
  EXPECT_GT(load.threads, 0);
  const auto engines = quantized_engines();
  const bool plain_runs = std::find(engines.begin(), engines.end(), load.plain_engine) != engines.end();
  EXPECT_EQ(std::isnan(load.plain), !plain_runs) << load.plain_engine;
  for (const double seconds : {load.original, plain_runs ? load.plain : load.best, load.best}) {
    EXPECT_GT(seconds, 0);
    EXPECT_LT(seconds, 10);
  }
  EXPECT_FALSE(load.plain_engine.empty());
  EXPECT_EQ(load.plain_engine == load.best_engine, load.plain == load.best);
}

/// nnU-Net's block, as it is scripted.
TEST_F(QuantizeReports, AConvolutionBehindAScriptedInstanceNormIsInt8) {
  std::map<std::string, at::Tensor> weights = two_convolutions();
  weights["n.weight"] = at::rand({8}) + 0.5;
  weights["n.bias"] = at::randn({8});
  const QuantizeReport report =
      quantize(weights,
               "def forward(self, x):\n"
               "    y = torch.conv2d(x, self.a.weight)\n"
               "    if y.dim() == 3:\n"
               "        n = torch.squeeze(torch.instance_norm(torch.unsqueeze(y, 0), self.n.weight, self.n.bias, None, "
               "None, True, 0.1, 1e-5, True), 0)\n"
               "    else:\n"
               "        n = torch.instance_norm(y, self.n.weight, self.n.bias, None, None, True, 0.1, 1e-5, True)\n"
               "    torch.leaky_relu_(n, 0.01)\n"
               "    return torch.conv2d(n, self.b.weight)\n",
               {1, 3, 9, 9});
  EXPECT_DOUBLE_EQ(report.int8_macs, 1);
  EXPECT_GT(sqnr(at::randn({1, 3, 9, 9})), 20);
}

}  // namespace
}  // namespace fusekit
