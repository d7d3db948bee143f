#include <gtest/gtest.h>
#include <torch/version.h>

#include <chrono>

#include "fusekit/error.h"
#include "fusekit/runtime.h"
#include "inputs/inputs.h"
#include "runtime/resident_memory.h"
#include "support/module.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

InputSummary infer(const std::string& source, const Tensors& tensors = {}, const InputOptions& options = {}) {
  torch::jit::Module module = test::make_module("Net", tensors, source);
  return inputs::resolve_inputs(module, options);
}

TEST(InferInputs, AConvolutionSetsRankAndChannels) {
  const Tensors weight{{"conv.weight", at::zeros({4, 5, 3, 3})}};
  const auto summary =
      infer("def forward(self, x):\n    return torch.conv2d(torch.relu(x), self.conv.weight)\n", weight);
  EXPECT_EQ(summary.text, "1x5x224x224 float, inferred");
  EXPECT_TRUE(summary.inferred);
  EXPECT_EQ(summary.options.dims, (std::vector<std::vector<std::int64_t>>{{1, 5, 224, 224}}));
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.conv2d(x, self.conv.weight, groups=2)\n", weight).text,
            "1x10x224x224 float, inferred");
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.conv_transpose2d(x, self.conv.weight)\n", weight).text,
            "1x4x224x224 float, inferred");
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.conv1d(x, self.w)\n", {{"w", at::zeros({2, 7, 3})}}).text,
            "1x7x128 float, inferred");
  EXPECT_EQ(
      infer("def forward(self, x):\n    return torch.conv3d(x, self.w)\n", {{"w", at::zeros({1, 1, 3, 3, 3})}}).text,
      "1x1x16x112x112 float, inferred");
}

TEST(InferInputs, PermutesAndUnsqueezesAreUndone) {
  const Tensors weight{{"w", at::zeros({4, 3, 3, 3})}};
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.conv2d(x.permute(0, 3, 1, 2), self.w)\n", weight).text,
            "1x224x224x3 float, inferred");
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.conv2d(x.unsqueeze(0), self.w)\n", weight).text,
            "3x224x224 float, inferred");
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.conv1d(x.transpose(1, 2), self.w)\n",
                  {{"w", at::zeros({4, 6, 3})}})
                .text,
            "1x128x6 float, inferred");
}

TEST(InferInputs, FindsTheSizeThatAFlattenedLayerWants) {
  const std::string source =
      "def forward(self, x):\n"
      "    x = torch.max_pool2d(torch.conv2d(x, self.conv), [2, 2])\n"
      "    return torch.matmul(torch.flatten(x, 1), self.linear)\n";
  for (const std::int64_t side : {28, 100, 63}) {
    const std::int64_t below = (side - 2) / 2;
    const Tensors weights{{"conv", at::zeros({2, 1, 3, 3})}, {"linear", at::zeros({2 * below * below, 3})}};
    const auto summary = infer(source, weights);
    EXPECT_EQ((summary.options.dims.at(0).at(2) - 2) / 2, below) << summary.text;
  }
}

TEST(InferInputs, AFlattenedPerceptronTakesItsFeatures) {
  const Tensors weight{{"w", at::zeros({784, 10})}};
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.matmul(x.view(-1, 784), self.w)\n", weight).text,
            "1x784 float, inferred");
  EXPECT_EQ(infer("def forward(self, x):\n    n, c, h, w = x.size()\n    return torch.matmul(x.view(n, -1), self.w)\n",
                  weight)
                .text,
            "1x1x28x28 float, inferred");
}

TEST(InferInputs, IndicesStayBelowTheRowsOfTheEmbedding) {
  const Tensors weight{{"table", at::zeros({50, 4})}, {"types", at::zeros({3, 4})}};
  const auto summary = infer(
      "def forward(self, ids, kinds):\n    return torch.embedding(self.table, ids) + torch.embedding(self.types, "
      "kinds)\n",
      weight);
  EXPECT_EQ(summary.text, "1x16 int64; 1x16 int64, inferred");
  EXPECT_EQ(summary.options.int_high, 3);
}

// A mask of many values would move the scores of attention by so much that nothing else shows.
TEST(InferInputs, IntegersBesideIndicesAreZeroOrOne) {
  const Tensors weight{{"table", at::zeros({50, 4})}};
  const std::string source =
      "def forward(self, ids, mask):\n    x = torch.embedding(self.table, ids)\n"
      "    return x + torch.unsqueeze((1 - mask) * -10000.0, 2)\n";
  const torch::jit::Module module = test::make_module("Net", weight, source);
  InputOptions options;
  options.dims = {{1, 64}, {1, 64}};
  options.types = {"int64", "int64"};
  const auto summary = inputs::resolve_inputs(module, options);
  EXPECT_EQ(summary.text, "1x64 int64; 1x64 int64<2");
  const auto sample = inputs::draw_sample(summary.options, 0);
  EXPECT_GT(sample[0].toTensor().max().item<std::int64_t>(), 25);
  EXPECT_EQ(sample[1].toTensor().max().item<std::int64_t>(), 1);
  options.types = {"int64", "int64<9"};
  EXPECT_EQ(inputs::resolve_inputs(module, options).text, "1x64 int64; 1x64 int64<9") << "given, it stays";
  options.int_high = 7;
  options.types = {"int64", "int64"};
  EXPECT_EQ(inputs::resolve_inputs(module, options).text, "1x64 int64; 1x64 int64") << "given for all";
}

TEST(InferInputs, AMaskBesideIndicesHasTheirShape) {
  const Tensors weights{{"table", at::randn({50, 8})}, {"w", at::randn({8, 8})}};
  const std::string source =
      "def forward(self, ids, mask):\n    x = torch.embedding(self.table, ids)\n"
      "    hidden = torch.reshape((1 - mask) * -10000.0, [mask.size(0), 1, mask.size(1)])\n"
      "    scores = torch.matmul(x, x.transpose(1, 2)) + hidden\n"
      "    return torch.linear(torch.matmul(torch.softmax(scores, 2), x), self.w)\n";
  EXPECT_EQ(infer(source, weights).text, "1x16 int64; 1x16 int64<2, inferred");
}

TEST(InferInputs, DtypeFollowsTheWeight) {
  const Tensors weight{{"w", at::zeros({4, 3}, at::kDouble)}};
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.matmul(x, self.w)\n", weight).text, "1x4 double, inferred");
}

TEST(InferInputs, OtherArgumentsAreFilledIn) {
  const auto summary = infer(
      "def forward(self, x, n: int, mask: Optional[Tensor], flag: bool, y, scale: float = 2.0):\n"
      "    return torch.matmul(x, self.w) * n + y.sum()\n",
      {{"w", at::zeros({4, 3})}});
  EXPECT_EQ(summary.text, "1x4 float; =1; =None; =false; 1x4 float, inferred");
}

TEST(InferInputs, RecurrentLayersTakeSequencesOfTheirFeatures) {
  const Tensors weights{{"w_ih", at::zeros({4, 9})}, {"w_hh", at::zeros({4, 4})}};
  EXPECT_EQ(infer("def forward(self, x):\n"
                  "    h = torch.zeros([1, x.size(0), 4])\n"
                  "    return torch.rnn_tanh(x, h, [self.w_ih, self.w_hh], False, 1, 0.0, False, False, True)[0]\n",
                  weights)
                .text,
            "1x16x9 float, inferred");
}

TEST(InferInputs, NormalizationsTakeTheirChannelsAtTheRankThatRuns) {
  const Tensors channels{{"w", at::ones({6})}, {"running_mean", at::zeros({6})}, {"running_var", at::ones({6})}};
  const std::string batch_norm =
      "torch.batch_norm(x, self.w, self.w, self.running_mean, self.running_var, False, 0.1, 1e-5, False)\n";
  EXPECT_EQ(infer("def forward(self, x):\n    return " + batch_norm, channels).text, "1x6x224x224 float, inferred");
  EXPECT_EQ(infer("def forward(self, x):\n    assert x.dim() == 2\n    return " + batch_norm, channels).text,
            "2x6 float, inferred");
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.group_norm(x, 2, self.w)\n", channels).text,
            "1x6x224x224 float, inferred");
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.layer_norm(x, [6], self.w)\n", channels).text,
            "1x6 float, inferred");
}

TEST(InferInputs, FollowsAValueThroughBranchesAndLoops) {
  const Tensors weight{{"w", at::zeros({3, 3, 1, 1})}};
  EXPECT_EQ(infer("def forward(self, x, n: int):\n"
                  "    for i in range(n):\n"
                  "        if i > 3:\n"
                  "            x = torch.relu(x)\n"
                  "        x = torch.conv2d(x, self.w)\n"
                  "    return x\n",
                  weight)
                .text,
            "1x3x224x224 float; =1, inferred");
}

TEST(InferInputs, AListHoldsOneTensorWithoutABatch) {
  const auto summary =
      infer("def forward(self, images: List[Tensor]):\n    return torch.conv2d(torch.stack(images), self.w)\n",
            {{"w", at::zeros({4, 3, 3, 3})}});
  EXPECT_EQ(summary.text, "3x224x224 float[], inferred");
}

TEST(InferInputs, ASubmodulesOperatorCounts) {
  torch::jit::Module child = test::make_module("Child", {{"w", at::zeros({2, 6, 1, 1})}},
                                               "def forward(self, x):\n    return torch.conv2d(x, self.w)\n");
  torch::jit::Module parent("__torch__.test.Parent");
  parent.register_module("child", child);
  parent.define("def forward(self, x):\n    return self.child.forward(x)\n");
  EXPECT_EQ(inputs::resolve_inputs(parent, {}).text, "1x6x224x224 float, inferred");
}

TEST(InferInputs, EachCandidateStartsFromTheFilesState) {
  const test::TemporaryFolder folder;
  // Remembers its first input, and takes no others of another size; 32x32 alone gets as far as the end.
  const char* const source =
      "def forward(self, x):\n"
      "    if self.buffer.numel() == 0:\n"
      "        self.buffer = x\n"
      "    y = torch.conv2d(x - self.buffer, self.c)\n"
      "    return torch.linear(torch.flatten(y, 1), self.w)\n";
  test::save_module(
      test::make_module(
          "Net", {{"buffer", at::zeros({0})}, {"c", at::zeros({1, 3, 1, 1})}, {"w", at::zeros({2, 1024})}}, source),
      folder / "net.pt");
  EXPECT_EQ(resolve_inputs(folder / "net.pt", {}).text, "1x3x32x32 float, inferred");
  EXPECT_EQ(resolve_inputs(read(folder / "net.pt"), {}).text, "1x3x32x32 float, inferred");
}

TEST(InferInputs, SaysWhatToGiveWhereNothingRuns) {
  try {
    infer("def forward(self, x):\n    assert x.dim() == 7, \"seven!\"\n    return x\n");
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_EQ(error.message(),
              "can't work out the inputs of forward(x: Tensor): none of 12 candidates runs; the first: AssertionError: "
              "seven!");
    EXPECT_EQ(error.hint(),
              "give them, in this manner: InputOptions::dims = \"1,3,224,224\" InputOptions::types = \"float\"; or "
              "InputOptions::file = FILE");
  }
}

TEST(InferInputs, SaysWhichArgumentItCanNotMakeUp) {
  try {
    infer("def forward(self, x, state: Tuple[Tensor, Tensor]):\n    return x\n");
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "FuseKit can't make up the argument \"state\" of type Tuple[Tensor, Tensor]");
  }
}

TEST(ResolveInputs, GivenShapesHaveToFitTheArguments) {
  const std::string two = "def forward(self, x, y, n: int = 3, z: Optional[Tensor] = None):\n    return x\n";
  InputOptions options;
  options.dims = {{1, 2}};
  try {
    infer(two, {}, options);
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(
        error.message(),
        "forward(x: Tensor, y: Tensor, n: int = 3, z: Optional[Tensor] = None) takes 3 tensors, and 1 shape is given");
  }
  options.dims = {{1}, {2}};
  EXPECT_EQ(infer(two, {}, options).text, "1 float; 2 float");
  options.dims = {{1}, {2}, {3}};
  EXPECT_EQ(infer(two, {}, options).text, "1 float; 2 float; =3; 3 float");
  options.dims = {{1}, {2}, {3}, {4}};
  EXPECT_THROW(infer(two, {}, options), Error);
  options.dims = {{8, 8}};
  EXPECT_EQ(infer("def forward(self, x: List[Tensor]):\n    return x\n", {}, options).text, "8x8 float[]");
}

/// Attention over all positions: its memory grows with the square of the pixels (10 GB at 224x224).
const char* const kAttention =
    "def forward(self, x):\n"
    "    y = torch.conv2d(x, self.w).flatten(2)\n"
    "    return torch.bmm(y, torch.softmax(torch.bmm(y.transpose(1, 2), y), -1))\n";

TEST(InferInputs, WhatTakesTooMuchMemoryIsTriedSmaller) {
  const auto begin = std::chrono::steady_clock::now();
  runtime::reset_peak_resident();
  const std::int64_t before = runtime::peak_resident_kib();
  const auto summary = infer(kAttention, {{"w", at::randn({8, 3, 1, 1})}});
  EXPECT_EQ(summary.text, "1x3x32x32 float (1x3x224x224 float takes too much time or memory), inferred");
  EXPECT_LT(runtime::peak_resident_kib() - before, 1 << 20);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

TEST(InferInputs, WhereEvenSmallOnesTakeTooMuchTheShapesAreAskedFor) {
  set_limits({.max_memory = static_cast<std::uint64_t>(runtime::resident_kib()) * 1024});
  const auto infer_under = [] {
    infer("def forward(self, x):\n    return torch.conv2d(x, self.w) + torch.zeros([100, 1000, 1000]).sum()\n",
          {{"w", at::randn({8, 3, 1, 1})}});
  };
  try {
    infer_under();
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_TRUE(test::has(error.message(), "which is a guess, takes more than ")) << error.message();
    EXPECT_TRUE(test::has(error.hint(), "InputOptions::dims")) << error.hint();
  }
  set_limits({});
  EXPECT_NO_THROW(infer_under());
}

TEST(InferInputs, ALoopWithoutAnEndIsGivenUp) {
  set_limits({.run_limit = 0.3});
  EXPECT_TRUE(test::refuses(ErrorKind::input, "which is a guess, takes longer than 0.3 s", [] {
    infer(
        "def forward(self, x):\n    y = torch.conv2d(x, self.w)\n    while bool(y.numel() > 0):\n        y = y + 1\n"
        "    return y\n",
        {{"w", at::randn({8, 3, 1, 1})}});
  }));
  set_limits({});
}

#if TORCH_VERSION_MAJOR >= 2
TEST(InferInputs, WeightsKeptInAnotherTypeTakeFloats) {
  const at::Tensor small = at::randn({8, 3, 1, 1}).to(at::kFloat8_e4m3fn);
  EXPECT_EQ(infer("def forward(self, x):\n    return torch.conv2d(x, self.w.float())\n", {{"w", small}}).options.types,
            (std::vector<std::string>{"float"}));
}
#endif

TEST(InferInputs, AModuleWithoutTheMethodIsTold) {
  torch::jit::Module module = test::make_module("Net", {}, "def other(self, x):\n    return x\n");
  EXPECT_TRUE(test::refuses(ErrorKind::model, "has no method \"forward\"",
                            [&] { inputs::resolve_inputs(module, InputOptions{}); }));
}

}  // namespace
}  // namespace fusekit
