// The one vocabulary: what operators are known as, whatever their spelling.
#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>

#include <cmath>
#include <limits>

#include "fusekit/reason.h"
#include "ir/operators.h"
#include "ir/program.h"

namespace fusekit::ir {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::shared_ptr<Graph> parsed(const std::string& text) {
  auto graph = std::make_shared<Graph>();
  torch::jit::parseIR(text, graph.get());
  return graph;
}

std::shared_ptr<Graph> convolution_graph(const std::string& call) {
  return parsed(R"(graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %one : int = prim::Constant[value=1]()
  %two : int = prim::Constant[value=2]()
  %three : int = prim::Constant[value=3]()
  %no : bool = prim::Constant[value=0]()
  %yes : bool = prim::Constant[value=1]()
  %same : str = prim::Constant[value="same"]()
  %valid : str = prim::Constant[value="valid"]()
  %ones : int[] = prim::ListConstruct(%one, %one)
  %twos : int[] = prim::ListConstruct(%two, %two)
  %threes : int[] = prim::Constant[value=[3, 3]]()
  %y : Tensor = )" +
                call + "\n  return (%y)");
}

TEST(Vocabulary, AConvolutionIsKnownInEverySpelling) {
  const at::Tensor weight = torch::zeros({4, 3, 3, 3});
  for (const std::string call : {"aten::conv2d(%x, %w, %b, %twos, %ones, %threes, %two)",
                                 "aten::_convolution(%x, %w, %b, %twos, %ones, %threes, %no, %ones, %two, %no, %no, "
                                 "%yes, %yes)",
                                 "aten::convolution(%x, %w, %b, %twos, %ones, %threes, %no, %ones, %two)"}) {
    const auto graph = convolution_graph(call);
    const auto convolution = as_convolution(graph->outputs()[0]->node());
    ASSERT_TRUE(convolution) << call;
    EXPECT_EQ(convolution->groups, 2);
    EXPECT_FALSE(convolution->transposed);
    EXPECT_EQ(convolution->checks_rank, call.find("_conv") != call.npos || call.find("convolution") != call.npos);
    const auto geometry = geometry_of(*convolution, weight);
    ASSERT_TRUE(geometry) << call;
    EXPECT_EQ(geometry->stride, (std::vector<std::int64_t>{2, 2}));
    EXPECT_EQ(geometry->padding, (std::vector<std::int64_t>{1, 1}));
    EXPECT_EQ(geometry->dilation, (std::vector<std::int64_t>{3, 3}));
    EXPECT_EQ(input_channels(*convolution, weight), 6);
  }
}

TEST(Vocabulary, PaddingInWordsIsNumbers) {
  const at::Tensor even = torch::zeros({4, 3, 2, 4});
  const auto same = convolution_graph("aten::conv2d(%x, %w, %b, %ones, %same, %threes, %one)");
  const auto geometry = geometry_of(*as_convolution(same->outputs()[0]->node()), even);
  ASSERT_TRUE(geometry);
  EXPECT_EQ(geometry->padding, (std::vector<std::int64_t>{1, 4}));      // 3 * (2 - 1) = 3, 3 * (4 - 1) = 9
  EXPECT_EQ(geometry->padding_end, (std::vector<std::int64_t>{2, 5}));  // PyTorch puts the larger half behind
  const auto valid = convolution_graph("aten::conv2d(%x, %w, %b, %ones, %valid, %threes, %one)");
  EXPECT_EQ(geometry_of(*as_convolution(valid->outputs()[0]->node()), even)->padding_end,
            (std::vector<std::int64_t>{0, 0}));
}

TEST(Vocabulary, SettingsThatAreComputedAreNotKnown) {
  const auto graph = parsed(R"(graph(%x : Tensor, %w : Tensor, %n : int):
  %none : NoneType = prim::Constant()
  %one : int = prim::Constant[value=1]()
  %ones : int[] = prim::ListConstruct(%one, %one)
  %some : int[] = prim::ListConstruct(%n, %one)
  %y : Tensor = aten::conv2d(%x, %w, %none, %some, %ones, %ones, %one)
  %z : Tensor = aten::conv2d(%x, %w, %none, %ones, %ones, %ones, %n)
  return (%y, %z))");
  const auto convolution = as_convolution(graph->outputs()[0]->node());
  ASSERT_TRUE(convolution);
  EXPECT_FALSE(geometry_of(*convolution, torch::zeros({4, 3, 3, 3})));
  EXPECT_FALSE(as_convolution(graph->outputs()[1]->node()));
}

TEST(Vocabulary, ATransposedConvolutionHasItsChannelsTheOtherWayRound) {
  const auto graph = convolution_graph("aten::conv_transpose2d(%x, %w, %b, %ones, %twos, %ones, %two, %threes)");
  const auto convolution = as_convolution(graph->outputs()[0]->node());
  ASSERT_TRUE(convolution && convolution->transposed);
  const at::Tensor weight = torch::zeros({6, 5, 3, 3});
  EXPECT_EQ(input_channels(*convolution, weight), 6);
  EXPECT_EQ(output_channels(*as_layer(convolution->node), weight), 10);
  EXPECT_EQ(geometry_of(*convolution, weight)->output_padding, (std::vector<std::int64_t>{1, 1}));
  // Each of the 6 * 5 * 9 weights is used once for each position of the input.
  EXPECT_EQ(multiply_adds(*as_layer(convolution->node), weight, {2, 6, 7, 8}, {2, 10, 9, 9}), 6 * 5 * 9 * 2 * 7 * 8);
}

TEST(Vocabulary, MultiplyAddsOfALinearCountAllRows) {
  const auto graph = parsed(
      "graph(%x : Tensor, %w : Tensor, %b : Tensor):\n"
      "  %y : Tensor = aten::linear(%x, %w, %b)\n  return (%y)");
  const auto layer = as_layer(graph->outputs()[0]->node());
  ASSERT_TRUE(layer && layer->is_linear);
  EXPECT_EQ(multiply_adds(*layer, torch::zeros({5, 4}), {2, 3, 4}, {2, 3, 5}), 2 * 3 * 5 * 4);
}

struct Bounds {
  const char* call;
  double low;
  double high;
};

TEST(Vocabulary, WhatAnActivationClampsTo) {
  for (const Bounds& given :
       {Bounds{"aten::relu(%x)", 0, kInfinity}, Bounds{"aten::relu_(%x)", 0, kInfinity},
        Bounds{"aten::relu6(%x)", 0, 6}, Bounds{"aten::relu6_(%x)", 0, 6},
        Bounds{"aten::hardtanh(%x, %low, %high)", -2, 3}, Bounds{"aten::clamp(%x, %low, %none)", -2, kInfinity},
        Bounds{"aten::clamp_min(%x, %low)", -2, kInfinity}, Bounds{"aten::clamp_max(%x, %high)", -kInfinity, 3}}) {
    const auto graph = parsed(std::string("graph(%x : Tensor):\n  %none : NoneType = prim::Constant()\n"
                                          "  %low : float = prim::Constant[value=-2.]()\n"
                                          "  %high : float = prim::Constant[value=3.]()\n  %y : Tensor = ") +
                              given.call + "\n  return (%y)");
    const auto interval = clamped_to(graph->outputs()[0]->node());
    ASSERT_TRUE(interval) << given.call;
    EXPECT_EQ(interval->low, given.low) << given.call;
    EXPECT_EQ(interval->high, given.high) << given.call;
  }
}

TEST(Vocabulary, EveryActivationOfTheTableIsAnOperatorInBothForms) {
  for (const ActivationKind& kind : activation_kinds()) {
    EXPECT_FALSE(torch::jit::getAllOperatorsFor(kind.op).empty()) << kind.op.toQualString();
    EXPECT_LE(kind.sensitive.low, kind.sensitive.high) << kind.op.toQualString();
  }
  EXPECT_THROW(activation_kind("aten::conv2d"), std::out_of_range);
}

TEST(Vocabulary, WhereAnActivationIsConstantItsInputDoesNotMatter) {
  const auto graph = parsed("graph(%x : Tensor):\n  %y : Tensor = aten::hardswish(%x)\n  return (%y)");
  EXPECT_EQ(sensitive_interval(graph->outputs()[0]->node()).low, -3);
  EXPECT_EQ(sensitive_interval(graph->outputs()[0]->node()).high, kInfinity);
  EXPECT_FALSE(clamped_to(graph->outputs()[0]->node()));
}

double result_of(const ActivationKind& kind, double x) {
  torch::jit::Stack stack{at::tensor(x, at::kDouble)};
  c10::Dispatcher::singleton().findSchemaOrThrow(kind.op.toQualString(), "").callBoxed(&stack);
  return stack.at(0).toTensor().item<double>();
}

TEST(Vocabulary, BeyondItsIntervalAnActivationChangesByLessThanHalfALevel) {
  for (const ActivationKind& kind : activation_kinds()) {
    const auto [low, high] = kind.sensitive;
    if (std::isinf(low) && std::isinf(high)) continue;
    const double levels = std::isfinite(low) && std::isfinite(high) ? 256 : kInfinity;
    const double half = (result_of(kind, std::min(high, 10.0)) - result_of(kind, std::max(low, -10.0))) / levels / 2;
    if (std::isfinite(low)) {
      EXPECT_NEAR(result_of(kind, low), result_of(kind, low - 10), half) << kind.name;
    }
    if (std::isfinite(high)) {
      EXPECT_NEAR(result_of(kind, high), result_of(kind, high + 10), half) << kind.name;
    }
  }
}

TEST(Vocabulary, PoolsAreToldByTheirNames) {
  const auto graph = parsed(R"(graph(%x : Tensor, %s : int[]):
  %a : Tensor = aten::adaptive_avg_pool3d(%x, %s)
  %u : Tensor = aten::max_unpool2d(%x, %x, %s)
  return (%a, %u))");
  const auto pool = as_pool(graph->outputs()[0]->node());
  ASSERT_TRUE(pool);
  EXPECT_EQ(pool->spatial, 3);
  EXPECT_TRUE(pool->is_adaptive);
  EXPECT_FALSE(pool->is_max);
  EXPECT_FALSE(as_pool(graph->outputs()[1]->node()));
}

TEST(Vocabulary, APadCountsFromTheLastDimension) {
  const auto graph = parsed(R"(graph(%x : Tensor):
  %counts : int[] = prim::Constant[value=[1, 2, 3, 4]]()
  %zero : int = prim::Constant[value=0]()
  %y : Tensor = aten::constant_pad_nd(%x, %counts, %zero)
  return (%y))");
  const auto pad = as_pad(graph->outputs()[0]->node());
  ASSERT_TRUE(pad);
  EXPECT_EQ(pad->before, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(pad->after, (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(pad->value, 0);
}

TEST(Vocabulary, APadThatReflectsIsNoneOfZeros) {
  for (const bool constant : {true, false}) {
    const auto graph = parsed(fmt::format(R"(graph(%x : Tensor):
  %counts : int[] = prim::Constant[value=[1, 1]]()
  %mode : str = prim::Constant[value="{}"]()
  %none : NoneType = prim::Constant()
  %y : Tensor = aten::pad(%x, %counts, %mode, %none)
  return (%y))",
                                          constant ? "constant" : "reflect"));
    EXPECT_EQ(as_pad(graph->outputs()[0]->node()).has_value(), constant);
  }
}

TEST(Reasons, EachCodeHasANameAndItsWords) {
  std::set<std::string> names;
  for (int code = 1; code <= static_cast<int>(ReasonCode::used_as_list); ++code) {
    const auto name = std::string(name_of(static_cast<ReasonCode>(code)));
    EXPECT_FALSE(name.empty());
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(to_text({}), "");
  EXPECT_EQ(to_text({ReasonCode::channels_differ, 4, std::int64_t{5}}), "it has 4 output channels and the BatchNorm 5");
  EXPECT_EQ(Reason(ReasonCode::is_computed, "weight", "aten::mul"),
            Reason(ReasonCode::is_computed, "weight", "aten::mul"));
  EXPECT_NE(Reason(ReasonCode::is_computed, "weight", "aten::mul"),
            Reason(ReasonCode::is_computed, "bias", "aten::mul"));
}

}  // namespace
}  // namespace fusekit::ir
