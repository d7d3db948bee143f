// The target cpu: packed layers for the shapes that a file is made for, plain operators for all others.
#include <set>

#include "fusekit/error.h"
#include "ir/program.h"
#include "support/refusal.h"
#include "target/cpu_target.h"

namespace fusekit {
namespace {

using test::operator+;
using test::Tensors;
using CpuTarget = test::CpuTarget;

Tensors convolution(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel) {
  return {{name + ".weight", torch::randn({out, in, kernel, kernel}) / std::sqrt(double(in * kernel * kernel))},
          {name + ".bias", torch::randn({out})}};
}

const char* const kTwoConvolutions =
    "  y = torch.relu(torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1]))\n"
    "  return torch.conv2d(y, self.b.weight, self.b.bias, [2, 2], [1, 1])\n";

TEST_F(CpuTarget, ConvolutionsArePackedAndTakeTheirActivationIn) {
  write_network(convolution("a", 16, 8, 3) + convolution("b", 4, 16, 3), kTwoConvolutions);
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 2U);
  EXPECT_EQ(count("aten::conv2d"), 2U);  // for other shapes
  EXPECT_EQ(count("aten::relu_"), 1U);   // there
  expect_same_everywhere();
}

TEST_F(CpuTarget, AFileCanBeMadeForSeveralInputs) {
  LowerOptions options;
  options.inputs.dims = {{2, 8, 12, 12}};
  options.more_inputs = {InputOptions{}, InputOptions{}};
  options.more_inputs[0].dims = {{1, 8, 12, 12}};
  options.more_inputs[1].dims = {{2, 8, 17, 9}};
  write_network(convolution("a", 16, 8, 3) + convolution("b", 4, 16, 3), kTwoConvolutions, options);
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 6U);
  EXPECT_EQ(count("aten::conv2d"), 2U);
  expect_same_everywhere();
  EXPECT_LE(error_on({torch::randn({3, 8, 5, 5})}), 1e-5);
  EXPECT_LT(std::filesystem::file_size(folder_ / "out.pt"), 2 * std::filesystem::file_size(folder_ / "in.pt"))
      << "the weights are saved once";
}

TEST_F(CpuTarget, WriteComparesOnEachOfSeveralInputs) {
  test::save_module(test::make_module("Net", convolution("a", 8, 8, 3),
                                      "def forward(self, x):\n  return torch.conv2d(x, self.a.weight)\n"),
                    folder_ / "in.pt");
  WriteOptions options;
  options.target = "cpu";
  options.verify.inputs.dims = {{1, 8, 9, 9}};
  options.more_inputs = {InputOptions{}};
  options.more_inputs[0].dims = {{4, 8, 7, 7}};
  const WriteReport report = write(read(folder_ / "in.pt"), folder_ / "out.pt", options);
  ASSERT_TRUE(report.written);
  EXPECT_EQ(report.made_for, "1x8x9x9 float | 4x8x7x7 float");
  EXPECT_EQ(report.methods.at(1).report->inputs, "4x8x7x7 float");
}

TEST_F(CpuTarget, WhatIsSavedIsThePlainWeightUnderItsNameAndOnce) {
  const Tensors tensors = convolution("a", 64, 8, 3) + convolution("b", 64, 64, 3);
  write_network(tensors, kTwoConvolutions);
  std::map<std::string, at::Tensor> saved;
  for (const auto& parameter : written_.named_parameters()) saved[parameter.name] = parameter.value;
  ASSERT_EQ(saved.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(saved.at(name).equal(tensor)) << name;
  const auto size = std::filesystem::file_size(folder_ / "out.pt");
  EXPECT_LT(size, 1.2 * std::filesystem::file_size(folder_ / "in.pt"));

  written_.save((folder_ / "again.pt").string());  // by LibTorch alone
  written_ = torch::jit::load((folder_ / "again.pt").string());
  EXPECT_LE(error_on({torch::randn({2, 8, 12, 12})}), 1e-5);
}

TEST_F(CpuTarget, OtherDtypesTakeThePlainRoad) {
  write_network(convolution("a", 16, 8, 3) + convolution("b", 4, 16, 3), kTwoConvolutions);
  original_.to(at::kDouble);
  written_.to(at::kDouble);
  EXPECT_LE(error_on({torch::randn({2, 8, 12, 12}, at::kDouble)}), 1e-14);
}

TEST_F(CpuTarget, PixelwiseConvolutionsAreProducts) {
  const Tensors tensors = convolution("a", 32, 8, 1) + convolution("b", 8, 32, 1) + convolution("c", 8, 8, 1);
  const char* body =
      "  y = torch.hardtanh(torch.conv2d(x, self.a.weight, self.a.bias), 0., 6.)\n"
      "  y = torch.conv2d(y, self.b.weight, self.b.bias)\n"
      "  s = torch.adaptive_avg_pool2d(y, [1, 1])\n"
      "  return y * torch.sigmoid(torch.conv2d(s, self.c.weight, self.c.bias))\n";
  LowerOptions large;
  large.inputs.dims = {{2, 8, 12, 12}};
  write_network(tensors, body, large);
  EXPECT_EQ(count("mkldnn::_linear_pointwise"), 2U);
  EXPECT_EQ(count("aten::linear") + count("mkl::_mkl_linear"), 1U) << "two rows: MKL's on Intel";
  expect_same_everywhere();
  LowerOptions small;
  small.inputs.dims = {{2, 8, 8, 8}};
  write_network(tensors, body, small);
  EXPECT_GE(count("mkl::_mkl_linear"), target::PackedLayers::is_supported(target::Packing::mkl) ? 2U : 0U);
  EXPECT_EQ(count("aten::conv2d"), 3U) << "for other shapes alone";
  EXPECT_LE(error_on({torch::randn({2, 8, 8, 8})}), 1e-5);
  expect_same_everywhere();
}

TEST_F(CpuTarget, LinearsArePackedForTheirRows) {
  write_network(
      {{"a.weight", torch::randn({32, 12}) / 4}, {"a.bias", torch::randn({32})}, {"b.weight", torch::randn({5, 32})}},
      "  y = torch.gelu(torch.linear(x, self.a.weight, self.a.bias))\n"
      "  return torch.linear(y.mean([1, 2]), self.b.weight)\n");
  EXPECT_GE(count("mkldnn::_linear_pointwise") + count("mkl::_mkl_linear"), 1U) << "and the one of two rows, on Intel";
  const at::Tensor x = torch::randn({2, 8, 12, 12});
  EXPECT_LE(error_on({x}), 1e-5);
  EXPECT_LE(error_on({torch::randn({3, 8, 5, 12})}), 1e-5);
}

class CpuActivation : public CpuTarget, public testing::WithParamInterface<const char*> {};

TEST_P(CpuActivation, IsComputedWithTheLayer) {
  const std::string activation = GetParam();
  const std::string call = activation.substr(0, activation.find('('));
  const std::string rest = activation.substr(activation.find('(') + 1);
  const std::string first =
      "  y = " + call + "(torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])" + rest + "\n";
  const std::string second = "  return " + call + "(torch.conv2d(y, self.b.weight, self.b.bias)" + rest + "\n";
  write_network(convolution("a", 16, 8, 3) + convolution("b", 16, 16, 1), first + second);
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 1U);
  EXPECT_EQ(count("mkldnn::_linear_pointwise"), 1U);
  expect_same_everywhere();
}

INSTANTIATE_TEST_SUITE_P(All, CpuActivation,
                         testing::Values("torch.relu()", "torch.hardtanh(, -0.5, 0.75)", "torch.clamp(, 0., 6.)",
                                         "torch.hardswish()", "torch.silu()", "torch.gelu()",
                                         "torch.gelu(, approximate=\"tanh\")", "torch.sigmoid()", "torch.tanh()",
                                         "torch.hardsigmoid()", "torch.leaky_relu(, 0.3)", "torch.elu()",
                                         "torch.clamp_min(, 0.25)"));

TEST_F(CpuTarget, ASumIsWrittenIntoTheOperandThatNobodyReadsLater) {
  const Tensors tensors = convolution("a", 8, 8, 3) + convolution("b", 8, 8, 3);
  const std::string body =
      "  y = torch.relu(torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1]))\n"
      "  z = torch.conv2d(y, self.b.weight, self.b.bias, [1, 1], [1, 1])\n";
  const std::string third = "  z = torch.conv2d(z, self.b.weight, self.b.bias, [1, 1], [1, 1])\n";
  write_network(tensors, body + third + "  return torch.relu(z + y)\n");
  EXPECT_EQ(count("mkldnn::_convolution_pointwise_"), 1U);
  expect_same_everywhere();
  for (const char* end :
       {"  return torch.relu(z + y)\n" /* y is what the convolution reads */,
        "  s = torch.relu(z + y)\n  return s - y\n", "  v = y[:, :4]\n  s = torch.relu(z + y)\n  return s[:, :4] - v\n",
        "  return torch.relu(z + x)\n", "  return z + y.mean([2, 3], True)\n", "  return torch.add(z, y, alpha=2)\n"}) {
    write_network(tensors, body + end);
    EXPECT_EQ(count("mkldnn::_convolution_pointwise_"), 0U) << end;
    expect_same_everywhere();
  }
  for (const char* end :
       {"  s = torch.relu(z + y)\n  return s - y\n", "  return z + y[:, :, :1]\n",
        "  v = y[:, :4]\n  s = torch.relu(z + y)\n  return s[:, :4] - v\n", "  return z[:, :, :1] + y\n"}) {
    write_network(tensors, body + third + end);
    EXPECT_EQ(count("mkldnn::_convolution_pointwise_"), 0U) << "behind a third convolution: " << end;
    expect_same_everywhere();
  }
  for (const char* activation : {"hardswish", "silu", "gelu", "sigmoid", "tanh", "leaky_relu", "relu6"}) {
    write_network(tensors, body + third + "  return torch." + activation + "(z + y)\n");
    EXPECT_EQ(count("mkldnn::_convolution_pointwise_"), 1U) << activation << ", which is an operator of its own";
    expect_same_everywhere();
  }
  const std::string pixel = "  pixel = torch.relu(torch.conv2d(x[:, :, :3, :3], self.a.weight))\n";
  write_network(tensors, pixel + body + third + "  return z + pixel\n");
  EXPECT_EQ(count("mkldnn::_convolution_pointwise_"), 0U) << "what grows in the sum";
  expect_same_everywhere();
}

TEST_F(CpuTarget, AWeightIsPackedOnceForEachBias) {
  write_network(convolution("a", 8, 8, 3) + Tensors{{"other.bias", torch::randn({8})}},
                "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
                "  return torch.cat([y, torch.conv2d(x, self.a.weight, self.other.bias, [1, 1], [1, 1])], 1)\n");
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 2U);
  expect_same_everywhere();
}

TEST_F(CpuTarget, EveryKindOfArgumentIsLookedAt) {
  const std::string convolved = "torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])";
  LowerOptions options;
  options.inputs.dims = {{2, 8, 12, 12}};
  options.inputs.types = {"float[]"};
  write_network(convolution("a", 8, 8, 3), "  x = torch.stack(xs)[:, 0]\n  return " + convolved + "\n", options,
                "xs: List[Tensor]");
  const auto list = [](std::initializer_list<std::vector<std::int64_t>> shapes) {
    c10::List<at::Tensor> tensors;
    for (const auto& shape : shapes) tensors.push_back(torch::randn(shape));
    return c10::IValue(tensors);
  };
  for (const c10::IValue& xs : {list({{2, 8, 12, 12}}), list({{2, 8, 9, 9}}), list({{2, 8, 12, 12}, {2, 8, 12, 12}})}) {
    const at::Tensor a = original_.forward({xs}).toTensor();
    EXPECT_TRUE(at::allclose(a, written_.forward({xs}).toTensor(), 1e-4, 1e-5));
  }
  options.inputs.types = {};
  write_network(convolution("a", 8, 8, 3),
                "  y = " + convolved + "\n  if more is not None:\n    y = y + more\n  return y * times\n", options,
                "x, more: Optional[Tensor] = None, times: float = 2.0");
  const at::Tensor x = torch::randn({2, 8, 12, 12});
  EXPECT_LE(error_on({x}), 1e-5);
  EXPECT_LE(error_on({x, torch::randn({8, 12, 12})}), 1e-5);
  EXPECT_LE(error_on({x, c10::IValue(), 3.0}), 1e-5);
}

TEST_F(CpuTarget, OutputsMayBeInTuplesAndDicts) {
  write_network(
      convolution("a", 8, 8, 3),
      "  y = torch.conv2d(x, self.a.weight, self.a.bias)\n  return {\"out\": (y, y * 2), \"more\": (y, x)}\n");
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 1U);
  const auto x = torch::randn({2, 8, 12, 12});
  const auto out = written_.forward({x}).toGenericDict().at("out").toTuple()->elements()[1].toTensor();
  EXPECT_TRUE(out.is_contiguous());
}

TEST_F(CpuTarget, AnInputIsThereBeforeTheFirstOfItsReaders) {
  write_network(convolution("a", 8, 8, 3) + convolution("b", 8, 8, 3) + convolution("c", 8, 8, 3),
                "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
                "  z = torch.conv2d(x, self.b.weight, self.b.bias, [1, 1], [1, 1])\n"
                "  z = torch.conv2d(torch.elu(z), self.c.weight, self.c.bias, [1, 1], [1, 1])\n"
                "  return torch.relu(y) + z\n");  // the first one runs behind the second, with its ReLU
  expect_same_everywhere();
}

TEST_F(CpuTarget, AWriteStaysBetweenWhatItStoodBetween) {
  const Tensors tensors = convolution("a", 8, 8, 3) + convolution("b", 8, 8, 3);
  write_network(tensors,
                "  w = x * 2\n  v = w[:, 1:]\n"
                "  y = torch.conv2d(w, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
                "  v.mul_(3)\n"
                "  z = torch.conv2d(w, self.b.weight, self.b.bias, [1, 1], [1, 1])\n"
                "  return torch.relu(y) + z\n");
  EXPECT_EQ(count("mkldnn::_convolution_pointwise") + count("mkldnn::_convolution_pointwise_"), 2U);
  expect_same_everywhere();
}

TEST_F(CpuTarget, AChannelsLastInputGivesAChannelsLastOutput) {
  write_network(convolution("a", 16, 8, 3) + convolution("b", 4, 16, 3), kTwoConvolutions);
  const at::Tensor x = torch::randn({2, 8, 12, 12}).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_EQ(original_.forward({x}).toTensor().strides(), written_.forward({x}).toTensor().strides());
}

TEST_F(CpuTarget, AResultThatIsReadTwiceKeepsItsActivationOutside) {
  write_network(
      convolution("a", 8, 8, 3),
      "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n  return torch.relu(y) + torch.tanh(y)\n");
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 1U);
  expect_same_everywhere();
}

TEST_F(CpuTarget, ABatchNormThatNoLayerTakesIsOneMultiplyAndAdd) {
  const Tensors norm = {{"n.weight", torch::rand({8}) + 0.5},
                        {"n.bias", torch::randn({8})},
                        {"n.running_mean", torch::randn({8})},
                        {"n.running_var", torch::rand({8}) + 0.5}};
  write_network(convolution("a", 8, 8, 3) + norm,
                "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
                "  z = torch.relu(torch.batch_norm(y, self.n.weight, self.n.bias, self.n.running_mean, "
                "self.n.running_var, False, 0.1, 1e-3, False))\n"
                "  return torch.cat([y, z], 1)\n");
  EXPECT_EQ(count("aten::addcmul"), 1U);
  expect_same_everywhere();
}

TEST_F(CpuTarget, WhatLooksAtMemoryIsGivenIt) {
  write_network(convolution("a", 8, 8, 3),
                "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
                "  z = y.view(y.size(0), -1)\n"
                "  return z + torch.as_strided(y, [y.size(0), z.size(1)], [z.size(1), 1])\n");
  expect_same_everywhere(1e-5, /*also_channels_last=*/false);  // the original raises
}

TEST_F(CpuTarget, WhereANetworkSeesHowItsInputLiesTheFastRoadIsForContiguousOnes) {
  write_network(convolution("a", 8, 8, 3),
                "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
                "  return y * float(y.stride(1) + x.stride(1))\n");
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 1U);
  expect_same_everywhere();
}

TEST_F(CpuTarget, RandomNumbersAreDrawnInTheSameOrder) {
  write_network(
      convolution("a", 8, 8, 3),
      "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n  return torch.dropout(y, 0.5, True)\n");
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 1U);
  for (const at::Tensor& x : {torch::randn({2, 8, 12, 12}), torch::randn({3, 8, 12, 12}),
                              torch::randn({2, 8, 12, 12}).contiguous(at::MemoryFormat::ChannelsLast)}) {
    torch::manual_seed(5);
    const at::Tensor a = original_.forward({x}).toTensor();
    torch::manual_seed(5);
    EXPECT_TRUE(at::allclose(a, written_.forward({x}).toTensor(), 1e-4, 1e-5)) << x.strides();
  }
}

TEST_F(CpuTarget, RandomNumbersAreDrawnInTheOrderThatTheNetworkAskedFor) {
  write_network(convolution("a", 8, 8, 3),
                "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
                "  return torch.dropout(y.contiguous(memory_format=2), 0.5, True)\n");
  const at::Tensor x = torch::randn({2, 8, 12, 12});
  torch::manual_seed(5);
  const at::Tensor a = original_.forward({x}).toTensor();
  torch::manual_seed(5);
  EXPECT_TRUE(at::allclose(a, written_.forward({x}).toTensor(), 1e-4, 1e-5));
}

TEST_F(CpuTarget, AChannelShuffleStaysInItsLayout) {
  const std::string shuffle =
      "  n, c, h, w = y.size()\n"
      "  y = torch.transpose(y.view(n, 4, c // 4, h, w), 1, 2).contiguous().view(n, c, h, w)\n";
  write_network(convolution("a", 8, 8, 3) + convolution("b", 8, 8, 3),
                "  y = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n" + shuffle +
                    "  return torch.conv2d(y, self.b.weight, self.b.bias)\n");
  EXPECT_EQ(count("aten::native_channel_shuffle"), 1U);
  expect_same_everywhere();
}

TEST_F(CpuTarget, APictureIsPutIntoChannelsLastByAShuffle) {
  LowerOptions options;
  options.inputs.dims = {{1, 3, 48, 48}};
  write_network(convolution("a", 8, 3, 3), "  return torch.conv2d(x, self.a.weight, self.a.bias)\n", options);
  EXPECT_EQ(count("aten::channel_shuffle"), 1U);
  const at::Tensor x = torch::randn({1, 3, 48, 48});
  EXPECT_LE(error_on({x}), 1e-5);
  EXPECT_LE(error_on({x.contiguous(at::MemoryFormat::ChannelsLast)}), 1e-5);
  EXPECT_LE(error_on({torch::randn({1, 3, 48, 96}).slice(3, 0, 96, 2)}), 1e-5);
  EXPECT_LE(error_on({torch::randn({2, 3, 40, 60})}), 1e-5);
}

/// How often a block of that many bytes is taken.
class CountedBlocks {
 public:
  explicit CountedBlocks(std::int64_t bytes)
      : handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(note).needsInputs(true))) {
    wanted() = bytes;
    count() = 0;
  }
  ~CountedBlocks() { at::removeCallback(handle_); }
  CountedBlocks(const CountedBlocks&) = delete;
  CountedBlocks& operator=(const CountedBlocks&) = delete;

  static int& count() {
    static int count = 0;
    return count;
  }

 private:
  static std::int64_t& wanted() {
    static std::int64_t wanted = 0;
    return wanted;
  }
  static std::unique_ptr<at::ObserverContext> note(const at::RecordFunction& function) {
    const auto inputs = function.inputs();
    if (std::string_view(function.name()) == "aten::empty" && !inputs.empty() && inputs[0].isIntList() &&
        inputs[0].toIntVector() == std::vector<std::int64_t>{wanted()})
      ++count();
    return nullptr;
  }

  at::CallbackHandle handle_;
};

TEST_F(CpuTarget, ALoadLetsMallocKeepWhatRunsFreeOnce) {
  write_network(convolution("a", 16, 8, 3) + convolution("b", 4, 16, 3), kTwoConvolutions);
  const CountedBlocks counted((32 << 20) - (64 << 10));
  const torch::jit::Module module = torch::jit::load((folder_ / "out.pt").string());
  EXPECT_EQ(counted.count(), 4);
}

TEST_F(CpuTarget, AGrowingListIsPutTogetherOnce) {
  write_network(convolution("a", 8, 8, 3) + convolution("b", 4, 16, 3),
                "  a = torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1])\n"
                "  b = torch.conv2d(torch.cat([a, x], 1), self.b.weight, self.b.bias, [1, 1], [1, 1])\n"
                "  return torch.relu(torch.cat([a, x, b], 1))\n");
  expect_same_everywhere();
  std::multiset<std::size_t> lengths;  // of both roads
  for (const torch::jit::Node* node : ir::all_nodes(*written_.get_method("forward").graph()))
    if (node->kind() == c10::aten::cat) lengths.insert(node->input(0)->node()->inputs().size());
  EXPECT_EQ(lengths, (std::multiset<std::size_t>{2, 2, 2, 3}));
}

TEST_F(CpuTarget, AFileForTheCpuCanBeReadAgain) {
  write_network(convolution("a", 16, 8, 3) + convolution("b", 4, 16, 3), kTwoConvolutions);
  Model model = read(folder_ / "out.pt");
  fuse(model);
  WriteOptions options;
  options.verify.inputs.dims = {{2, 8, 12, 12}};
  ASSERT_TRUE(write(std::move(model), folder_ / "second.pt", options).written);
  written_ = torch::jit::load((folder_ / "second.pt").string());
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 2U);
  EXPECT_LE(error_on({torch::randn({2, 8, 12, 12})}), 1e-5);
}

TEST_F(CpuTarget, WriteLowersForTheTargetThatItIsGiven) {
  test::save_module(test::make_module("Net", convolution("a", 8, 8, 3),
                                      "def forward(self, x):\n  return torch.conv2d(x, self.a.weight)\n"),
                    folder_ / "in.pt");
  WriteOptions options;
  options.target = "cpu";
  options.dtype = "bfloat16";
  options.verify.inputs.dims = {{1, 8, 9, 9}};
  ASSERT_TRUE(write(read(folder_ / "in.pt"), folder_ / "out.pt", options).written);
  written_ = torch::jit::load((folder_ / "out.pt").string());
  EXPECT_EQ(count("mkldnn::_convolution_pointwise"), 1U);
  EXPECT_EQ(written_.attr("a").toModule().attr("weight").toTensor().scalar_type(), at::kBFloat16);
}

TEST_F(CpuTarget, WhatCannotBeDoneIsRefused) {
  test::save_module(test::make_module("Net", convolution("a", 8, 8, 3),
                                      "def forward(self, x):\n  return torch.conv2d(x, self.a.weight)\n"),
                    folder_ / "in.pt");
  Model model = read(folder_ / "in.pt");
  LowerOptions options{.target = "cpu", .inputs = {}, .dtype = "float8"};
  EXPECT_TRUE(test::refuses(ErrorKind::unsupported, "float8", [&] { lower(model, options); }));
  options = {.target = "cpu", .inputs = {.dims = {{1, 3, 5, 5}}}, .dtype = "float"};
  EXPECT_TRUE(test::refuses(ErrorKind::input, "can't be run", [&] { lower(model, options); }));
  options = {.target = "mobile", .inputs = {}, .dtype = "bfloat16"};
  EXPECT_TRUE(test::refuses(ErrorKind::unsupported, "bfloat16", [&] { lower(model, options); }));
}

}  // namespace
}  // namespace fusekit
