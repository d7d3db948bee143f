// Convolutions of many groups, written with fewer: the same sums, and which of them need it.
#include "quantize/lower/groups.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>
#include <torch/torch.h>

#include "fusekit/engine.h"
#include "fusekit/quantize.h"
#include "fusekit/runtime.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit::quantize {
namespace {

using Sizes = std::vector<std::int64_t>;

struct MergeCase {
  std::int64_t groups;
  std::int64_t merged;
  std::int64_t in;
  std::int64_t out;
};

TEST(MergedGroups, ComputeTheSame) {
  for (const MergeCase& each : {MergeCase{6, 3, 1, 1}, {6, 2, 2, 3}, {4, 4, 3, 1}, {5, 1, 2, 2}, {8, 2, 1, 2}}) {
    const at::Tensor x = at::randn({2, each.groups * each.in, 7, 6});
    const at::Tensor weight = at::randn({each.groups * each.out, each.in, 3, 2});
    const at::Tensor merged = merge_groups(weight, each.groups, each.merged);
    EXPECT_EQ(merged.sizes().vec(), (Sizes{weight.size(0), each.in * each.merged, 3, 2}));
    const auto conv = [&](const at::Tensor& w, std::int64_t groups) {
      return at::conv2d(x, w, {}, {1, 1}, {1, 1}, {1, 1}, groups);
    };
    EXPECT_TRUE(conv(merged, each.groups / each.merged).allclose(conv(weight, each.groups), 1e-4, 1e-5));

    const at::Tensor transposed = at::randn({each.groups * each.in, each.out, 2, 3});
    const at::Tensor both = merge_groups(transposed, each.groups, each.merged);
    EXPECT_TRUE(
        at::conv_transpose2d(x, both, {}, {2, 2}, {0, 0}, {0, 0}, each.groups / each.merged)
            .allclose(at::conv_transpose2d(x, transposed, {}, {2, 2}, {0, 0}, {0, 0}, each.groups), 1e-4, 1e-5));
  }
}

/// A conv1d, conv2d or conv3d with this weight.
Grouping grouping(const Sizes& weight, std::int64_t groups, std::int64_t stride = 1, std::int64_t dilation = 1,
                  bool transposed = false) {
  const std::size_t spatial = weight.size() - 2;
  const std::string list = "[" + std::string(spatial, ' ') + "]";
  torch::jit::Graph graph;
  torch::jit::parseIR(
      "graph(%x : Tensor, %w : Tensor):\n"
      "  %one : int = prim::Constant[value=1]()\n"
      "  %n : NoneType = prim::Constant()\n"
      "  %g : int = prim::Constant[value=" +
          std::to_string(groups) +
          "]()\n"
          "  %l : int[] = prim::ListConstruct(%one)\n"
          "  %y : Tensor = aten::conv2d(%x, %w, %n, %l, %l, %l, %g)\n  return (%y)",
      &graph);
  torch::jit::Node* node = graph.outputs()[0]->node();
  ir::Convolution convolution = *ir::as_convolution(node);
  convolution.transposed = transposed;
  const Sizes zeros(spatial, 0);
  return grouping_of(convolution, at::empty(weight, at::kMeta),
                     {Sizes(spatial, stride), zeros, zeros, Sizes(spatial, dilation), zeros});
}

TEST(Grouping, LeavesWhatEveryEngineIsGoodAt) {
  EXPECT_EQ(grouping({96, 1, 3, 3}, 96).merged, 1);
  EXPECT_EQ(grouping({100, 1, 7, 7}, 100).merged, 1);
  EXPECT_EQ(grouping({64, 64, 3, 3}, 1).merged, 1);
  EXPECT_EQ(grouping({128, 4, 3, 3}, 32).merged, 1);
  EXPECT_EQ(grouping({15, 1, 31}, 15).merged, 1);     // too few channels to hang
  EXPECT_EQ(grouping({64, 1, 12}, 64).merged, 1);     // short enough
  EXPECT_EQ(grouping({64, 1, 15}, 64, 2).merged, 1);  // strided
  EXPECT_EQ(grouping({64, 1, 15}, 64, 1, 2).merged, 1);
  EXPECT_EQ(grouping({64, 1, 15, 3}, 64).merged, 1);  // long in another dimension than the last
  EXPECT_EQ(grouping({8, 4, 3, 3}, 2).merged, 1);     // fewer than fbgemm takes together
  EXPECT_EQ(grouping({40, 8, 3, 3}, 5).merged, 1);
}

TEST(Grouping, MakesFewerOfMoreThanAHundred) {
  for (const auto& [weight, groups, merged] :
       std::vector<std::tuple<Sizes, std::int64_t, std::int64_t>>{{{144, 1, 3, 3}, 144, 8},
                                                                  {{960, 1, 3, 3}, 960, 16},
                                                                  {{232, 1, 3, 3}, 232, 8},
                                                                  {{128, 1, 1, 1}, 128, 8},
                                                                  {{256, 1, 2, 2}, 128, 8},
                                                                  {{512, 4, 3, 3}, 128, 2},
                                                                  {{120, 1, 1, 15}, 120, 8},
                                                                  {{256, 1, 31}, 256, 8},
                                                                  {{108, 1, 7}, 108, 4}}) {
    const Grouping got = grouping(weight, groups);
    EXPECT_FALSE(got.why_not) << at::IntArrayRef(weight);
    EXPECT_EQ(got.merged, merged) << at::IntArrayRef(weight);
    EXPECT_LE(groups / got.merged, 100);
  }
}

TEST(Grouping, ALargeKernelPaysWhereItTakesLargeSteps) {
  EXPECT_EQ(grouping({240, 1, 5, 5}, 240, 1).why_not.code, ReasonCode::many_groups);
  EXPECT_EQ(grouping({240, 1, 5, 5}, 240, 2).merged, 8);
}

TEST(Grouping, SaysWhyALayerStaysFloat) {
  EXPECT_EQ(grouping({150, 1, 3, 3}, 150).why_not.code, ReasonCode::many_groups);  // no multiple of 4
  EXPECT_EQ(grouping({116, 1, 3, 3}, 116).why_not.code, ReasonCode::many_groups);  // 29 groups of 4: fbgemm overruns
  EXPECT_EQ(grouping({192, 1, 7, 7}, 192).why_not.code, ReasonCode::many_groups);  // float is as fast
  EXPECT_EQ(grouping({28, 4, 3, 3}, 7).why_not.code, ReasonCode::none);            // one group of 28
  EXPECT_EQ(grouping({76, 4, 3, 3}, 19).why_not.code, ReasonCode::unsafe_groups);
  EXPECT_EQ(grouping({17, 1, 31}, 17).why_not.code, ReasonCode::long_depthwise_kernel);
  EXPECT_EQ(grouping({64, 1, 15, 15}, 64).why_not.code, ReasonCode::long_depthwise_kernel);
  EXPECT_EQ(grouping({128, 2, 3, 3}, 128, 1, 1, true).why_not.code, ReasonCode::many_groups);  // its sides would differ
}

/// Loads and runs under an engine and a number of threads, and restores both.
class WrittenGroups : public testing::Test {
 protected:
  ~WrittenGroups() override {
    at::globalContext().setQEngine(engine_);
    at::set_num_threads(threads_);
  }

  void quantize(const at::Tensor& weight, const std::string& source, Sizes input) {
    test::save_module(test::make_module("Net", {{"c.weight", weight}}, source), folder_ / "float.pt");
    QuantizeOptions options;
    options.calibration.random = 8;
    options.calibration.inputs.dims = {std::move(input)};
    options.calibration.inputs.types = {"float"};
    Model model = read(folder_ / "float.pt");
    to_int8(model, options);
    ASSERT_TRUE(write(std::move(model), folder_ / "int8.pt", {.force = true}).written);
  }

  /// Root mean square of the error over that of the float output.
  double error(const std::string& engine, const Sizes& input) {
    const torch::NoGradGuard no_grad;
    apply({.threads = 2, .engine = engine});
    const at::Tensor x = at::randn(input);
    const at::Tensor truth = torch::jit::load(folder_ / "float.pt").forward({x}).toTensor();
    const at::Tensor got = torch::jit::load(folder_ / "int8.pt").forward({x}).toTensor();
    return ((truth - got).norm() / truth.norm()).item<double>();
  }

  test::TemporaryFolder folder_;

 private:
  at::QEngine engine_ = at::globalContext().qEngine();
  int threads_ = at::get_num_threads();
};

/// At lengths that calibration has not seen: where oneDNN hangs, this test does not end.
/// Those of x86 and onednn that this LibTorch has.
std::vector<std::string> engines_of_x86_cpus() {
  std::vector<std::string> engines = quantized_engines();
  std::erase_if(engines, [](const std::string& engine) { return engine != "x86" && engine != "onednn"; });
  return engines;
}

TEST_F(WrittenGroups, OfALongKernelEnd) {
  at::manual_seed(3);
  for (const auto& [channels, kernel] : std::vector<std::pair<std::int64_t, std::int64_t>>{{16, 15}, {80, 31}}) {
    quantize(at::randn({channels, 1, kernel}),
             fmt::format("def forward(self, x):\n    return torch.conv1d(x, self.c.weight, None, [1], [{}], [1], {})\n",
                         kernel / 2, channels),
             {1, channels, 64});
    for (const std::string& engine : engines_of_x86_cpus())
      for (const std::int64_t length : {64, 50, 512, 1})
        EXPECT_LT(error(engine, {1, channels, length}), 0.1) << engine << ", " << channels << " channels, " << length;
  }
}

/// Weights of one sign and all 256 levels: fbgemm's depthwise kernel, which the engine x86 takes for more than 100
/// groups, would overflow.
TEST_F(WrittenGroups, OfManyChannelsDoNotOverflow) {
  if (!engine_facts().has_avx512_vnni) GTEST_SKIP() << "this CPU's engines overflow anyway: the qconfig is another";
  at::manual_seed(3);
  quantize(at::rand({144, 1, 3, 3}) + 1,
           "def forward(self, x):\n    return torch.conv2d(x, self.c.weight, None, [1, 1], [1, 1], [1, 1], 144)\n",
           {1, 144, 12, 12});
  for (const std::string& engine : engines_of_x86_cpus()) EXPECT_LT(error(engine, {1, 144, 12, 12}), 0.03) << engine;
}

}  // namespace
}  // namespace fusekit::quantize
