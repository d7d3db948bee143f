// Every operator that has an int8 form, one small network each: the int8 operator is in the written file, with no float
// stretch between, and its numbers stay near the float network's under every engine, on fresh inputs, run after run.
#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/engine.h"
#include "fusekit/quantize.h"
#include "fusekit/runtime.h"
#include "fusekit/write.h"
#include "quantize/operator_cases.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using test::count_of;

/// Values of about 1 in each output: weights shrink with what they are summed over.
std::map<std::string, at::Tensor> tensors_of(const test::OperatorCase& each) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, shape] : each.weights) {
    at::Tensor tensor = at::randn(shape);
    if (name == "n.running_var") tensor = at::rand(shape) + 0.5;
    if (name == "n.weight") tensor = at::rand(shape) + 0.5;
    const std::int64_t summed = tensor.numel() / shape[0];
    if (shape.size() > 1) tensor = tensor / std::sqrt(static_cast<double>(summed));
    tensors[name] = tensor;
  }
  return tensors;
}

bool has_3d_convolution(const std::string& graph) {
  return count_of("quantized::conv3d", graph) + count_of("quantized::conv_transpose3d", graph) > 0;
}

double sqnr_db(const at::Tensor& truth, const at::Tensor& value) {
  return 10 * std::log10((truth.square().sum() / (truth - value).square().sum()).item<double>());
}

class QuantizedOperator : public testing::TestWithParam<test::OperatorCase> {
 protected:
  ~QuantizedOperator() override { at::globalContext().setQEngine(before_); }

  void quantize() {
    at::manual_seed(7);
    test::save_module(test::make_module("Net", tensors_of(GetParam()), test::source_of(GetParam().body)),
                      folder_ / "float.pt");
    QuantizeOptions options;
    options.qconfig = Qconfig::x86;
    options.observer = ObserverKind::min_max;
    options.prefer = Prefer::size;
    options.calibration.random = 16;
    options.calibration.inputs.dims = {GetParam().shape};
    options.calibration.inputs.types = {"float"};
    Model model = read(folder_ / "float.pt");
    to_int8(model, options);
    ASSERT_TRUE(write(std::move(model), folder_ / "int8.pt").written);
  }

  [[nodiscard]] torch::jit::Module load(const std::string& name) const {
    return torch::jit::load((folder_ / name).string());
  }

  test::TemporaryFolder folder_;

 private:
  at::QEngine before_ = at::globalContext().qEngine();
};

TEST_P(QuantizedOperator, IsInTheFileAndNearTheFloatOne) {
  quantize();
  const std::string graph = load("int8.pt").get_method("forward").graph()->toString(false);
  for (const std::string& name : GetParam().operators) EXPECT_GE(count_of(name, graph), 1U) << name << "\n" << graph;
  EXPECT_EQ(count_of("aten::quantize_per_tensor", graph), 1U) << graph;
  EXPECT_EQ(count_of("aten::dequantize", graph), 1U) << graph;

  const torch::NoGradGuard no_grad;
  torch::jit::Module floats = load("float.pt");
  for (const std::string& engine : quantized_engines()) {
    apply({.threads = 0, .engine = engine});
    if (engine == "qnnpack" && has_3d_convolution(graph)) {
      EXPECT_ANY_THROW(load("int8.pt")) << "qnnpack has 3-D convolutions now: say so in src/model/engine.cpp";
    }
    if (engine == "qnnpack" && !int8_facts(folder_ / "int8.pt")->against_qnnpack.empty()) continue;
    torch::jit::Module int8 = load("int8.pt");
    at::manual_seed(70);
    for (int input = 0; input < 3; ++input) {
      const at::Tensor x = at::randn(GetParam().shape);
      const at::Tensor truth = floats.forward({x}).toTensor();
      for (int run = 0; run < 3; ++run) {
        const at::Tensor value = int8.forward({x}).toTensor();
        ASSERT_EQ(value.sizes(), truth.sizes());
        EXPECT_GT(sqnr_db(truth, value), GetParam().bound) << engine << ", input " << input << ", run " << run << "\n"
                                                           << graph;
      }
    }
  }
}

/// What becomes of a convolution and, behind it, the body's operators, which may read `self.t.weight` of this shape.
QuantizeReport report_of(const std::string& body, const test::Shape& weight) {
  const test::TemporaryFolder folder;
  test::save_module(
      test::make_module(
          "Net", {{"c.weight", at::randn({4, 4, 3, 3})}, {"c.bias", at::randn({4})}, {"t.weight", at::randn(weight)}},
          test::source_of("CONV; " + body)),
      folder / "float.pt");
  QuantizeOptions options;
  options.calibration.random = 2;
  options.calibration.inputs.dims = {test::Shape{2, 4, 10, 9}};
  options.calibration.inputs.types = {"float"};
  Model model = read(folder / "float.pt");
  return to_int8(model, options);
}

TEST(QuantizedOperators, WhatLibTorchGetsWrongStaysFloat) {
  const std::map<std::string, std::pair<std::string, test::Shape>> cases = {
      {"LibTorch computes it wrongly with 4 input and 13 output channels, and filling up to 16 would cost more than "
       "int8 "
       "saves",
       {"[2, 2], [1, 1]", {4, 13, 3, 3}}},
      {"LibTorch computes it wrongly with 2 input and 3 output channels in a group",
       {"[2, 2], [1, 1], [0, 0], 2", {4, 3, 3, 3}}},
      {"its output padding is larger than its padding", {"[2, 2], [0, 0], [1, 1]", {4, 4, 3, 3}}}};
  for (const auto& [reason, settings] : cases) {
    const QuantizeReport report =
        report_of("return torch.conv_transpose2d(x, self.t.weight, None, " + settings.first + ")", settings.second);
    ASSERT_EQ(report.floats.size(), 1U);
    EXPECT_EQ(to_text(report.floats[0].reason), reason);
  }
}

struct NoInt8 {
  ReasonCode code;
  std::string body;
  test::Shape weight;
};

TEST(QuantizedOperators, WhatHasNoInt8FormStaysFloat) {
  for (const NoInt8& given :
       {NoInt8{ReasonCode::geometry_unknown,
               "return torch.conv2d(x, self.t.weight, None, [x.size(0) - 1, 1])",
               {4, 4, 2, 2}},
        NoInt8{ReasonCode::input_written_in_place,
               "y = torch.tanh(x); v = y[0]; v.add_(1); return torch.conv2d(y, self.t.weight)",
               {4, 4, 3, 3}},
        NoInt8{ReasonCode::wrong_rank, "return torch.conv2d(x[0], self.t.weight)", {4, 4, 3, 3}},
        NoInt8{ReasonCode::converts_dtype, "return torch.mean(x, [2, 3], False, dtype=6)", {1}},
        NoInt8{ReasonCode::alpha_not_one, "return torch.add(x, torch.sigmoid(x), alpha=2)", {1}}}) {
    const QuantizeReport report = report_of(given.body, given.weight);
    EXPECT_TRUE(std::any_of(report.floats.begin(), report.floats.end(), [&](const FloatOperator& op) {
      return op.reason.code == given.code;
    })) << given.body;
  }
}

INSTANTIATE_TEST_SUITE_P(All, QuantizedOperator, testing::ValuesIn(test::operator_cases()),
                         [](const testing::TestParamInfo<test::OperatorCase>& info) { return info.param.name; });

}  // namespace
}  // namespace fusekit
