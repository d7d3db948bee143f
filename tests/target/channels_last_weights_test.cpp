// Convolutions whose weights are stored in channels_last, and what must not be told apart by it.
#include "target/channels_last_weights.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "support/text.h"
#include "target/cpu/packed_layer.h"

namespace fusekit {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

const char* const kChain =
    "  y = torch.relu(torch.conv2d(x, self.a.weight, self.a.bias, [1, 1], [1, 1]))\n"
    "  y = torch.conv2d(y, self.b.weight, self.b.bias, [1, 1], [1, 1])\n";

class ChannelsLastWeights : public testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(3); }

  /// The network of two convolutions and what `body` adds, written for the portable target and loaded again.
  void write_network(const std::string& body, WriteOptions options = {}, const std::string& methods = "",
                     const Tensors& more = {}, bool training = false, const std::string& begin = "") {
    Tensors tensors = more;
    for (const char* layer : {"a", "b"}) {
      tensors[std::string(layer) + ".weight"] =
          (torch::randn({8, layer[0] == 'a' ? channels_ : 8, 3, 3}) / 6).contiguous(format_);
      tensors[std::string(layer) + ".bias"] = torch::randn(8);
    }
    for (auto& [name, tensor] : tensors) tensor.requires_grad_(needs_gradients_);
    torch::jit::Module module =
        test::make_module("Net", tensors, "def forward(self, x):\n" + begin + std::string(kChain) + body + methods);
    module.train(training);
    test::save_module(module, folder_ / "in.pt");
    write_file("in.pt", std::move(options));
    original_ = torch::jit::load((folder_ / "in.pt").string());
  }

  void write_file(const std::string& input, WriteOptions options) {
    Model model = read(folder_ / input);
    fuse(model);
    options.force = true;
    options.verify.inputs.dims = {{2, channels_, 12, 10}};
    const WriteReport report = write(std::move(model), folder_ / "out.pt", options);
    ASSERT_TRUE(report.written) << (report.failure() != nullptr ? report.failure()->failure : "");
    written_ = torch::jit::load((folder_ / "out.pt").string());
  }

  /// The network in int8, but for the modules `skip`, written and loaded again.
  torch::jit::Module written_in_int8(WriteOptions options = {}, const std::vector<std::string>& skip = {}) {
    Model model = read(folder_ / "in.pt");
    QuantizeOptions quantize;
    quantize.calibration.random = 4;
    quantize.calibration.inputs.dims = {{2, channels_, 12, 10}};
    quantize.skip = skip;
    to_int8(model, quantize);
    options.force = true;
    options.verify.inputs = quantize.calibration.inputs;
    EXPECT_TRUE(write(std::move(model), folder_ / "int8.pt", options).written);
    return torch::jit::load((folder_ / "int8.pt").string());
  }

  [[nodiscard]] std::string code() const { return written_.get_method("forward").graph()->toString(false); }

  [[nodiscard]] std::vector<std::string> operators() const {
    std::vector<std::string> names;
    for (const torch::jit::Node* node : written_.get_method("forward").graph()->nodes())
      names.emplace_back(node->kind().toQualString());
    return names;
  }

  /// Is the weight of the second layer, which follows on the first, stored so?
  [[nodiscard]] bool is_stored_in_channels_last() const {
    const at::Tensor weight = written_.attr("b").toModule().attr("weight").toTensor();
    return weight.is_contiguous(at::MemoryFormat::ChannelsLast) && !weight.is_contiguous();
  }

  /// Both on `x`, in three runs: the same numbers at the same places in memory.
  void expect_same_memory(const at::Tensor& x) {
    const torch::NoGradGuard no_grad;
    for (int run = 0; run < 3; ++run) {
      torch::manual_seed(run);
      const c10::IValue a = original_.forward({x});
      torch::manual_seed(run);
      expect_same(a, written_.forward({x}));
    }
  }

  /// The strides of dimensions that have a second element.
  static std::vector<std::int64_t> steps_of(const at::Tensor& tensor) {
    std::vector<std::int64_t> steps;
    for (std::int64_t dim = 0; dim < tensor.dim(); ++dim)
      if (tensor.size(dim) > 1) steps.push_back(tensor.stride(dim));
    return steps;
  }

  static void expect_same(const c10::IValue& a, const c10::IValue& b) {
    if (a.isTensor()) {
      EXPECT_EQ(steps_of(a.toTensor()), steps_of(b.toTensor())) << a.toTensor().sizes();
      EXPECT_TRUE(torch::allclose(a.toTensor(), b.toTensor(), 1e-4, 1e-5));
      return;
    }
    if (a.isGenericDict()) {
      for (const auto& entry : a.toGenericDict()) expect_same(entry.value(), b.toGenericDict().at(entry.key()));
      return;
    }
    const auto xs = a.isTuple() ? a.toTupleRef().elements().vec() : a.toListRef().vec();
    const auto ys = b.isTuple() ? b.toTupleRef().elements().vec() : b.toListRef().vec();
    ASSERT_EQ(xs.size(), ys.size());
    for (std::size_t i = 0; i < xs.size(); ++i) expect_same(xs[i], ys[i]);
  }

  /// On contiguous data of several sizes, on channels_last, on other layouts, and on one without a batch.
  void expect_same_memory_everywhere() {
    for (const std::vector<std::int64_t>& shape : std::vector<std::vector<std::int64_t>>{
             {2, channels_, 12, 10}, {1, channels_, 7, 9}, {1, channels_, 1, 1}, {3, channels_, 12, 10}}) {
      const at::Tensor x = torch::randn(shape);
      expect_same_memory(x);
      expect_same_memory(x.contiguous(at::MemoryFormat::ChannelsLast));
      expect_same_memory(torch::randn({shape[0], shape[1], shape[3], shape[2]}).transpose(2, 3));
    }
    if (takes_unbatched_) expect_same_memory(torch::randn({channels_, 12, 10}));
  }

  void expect_left(const std::string& body, const Tensors& more = {}, bool training = false) {
    write_network(body, {}, "", more, training);
    EXPECT_FALSE(is_stored_in_channels_last()) << code();
    expect_same_memory(torch::randn({2, channels_, 12, 10}));
  }

  std::int64_t channels_ = 3;
  bool needs_gradients_ = false;
  bool takes_unbatched_ = true;
  at::MemoryFormat format_ = at::MemoryFormat::Contiguous;  ///< of the original's weights
  test::TemporaryFolder folder_;
  torch::jit::Module original_;
  torch::jit::Module written_;
};

TEST_F(ChannelsLastWeights, WhatIsGivenOutLiesInMemoryAsItDid) {
  write_network("  return y\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory_everywhere();
}

TEST_F(ChannelsLastWeights, GrayPicturesAreContiguousAsWellAsInChannelsLast) {
  channels_ = 1;
  write_network("  return y\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory_everywhere();
}

TEST_F(ChannelsLastWeights, FlatDataWithoutABatchIsContiguous) {
  write_network("  return torch.flatten(y, 1)\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory_everywhere();
}

TEST_F(ChannelsLastWeights, TuplesDictsAndListsHoldContiguousTensors) {
  write_network("  return (y, {\"sum\": y + 1, \"mean\": y.mean([2, 3])}, [torch.flatten(y, 2), y[0]])\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory(torch::randn({2, 3, 12, 10}));
  expect_same_memory(torch::randn({1, 3, 5, 5}).contiguous(at::MemoryFormat::ChannelsLast));
}

TEST_F(ChannelsLastWeights, ViewsReadAnyLayout) {
  write_network(
      "  n, c, h, w = y.shape\n"
      "  y = y.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)\n"
      "  return y.view(n, -1)\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  EXPECT_NE(code().find("aten::reshape"), std::string::npos);
  expect_same_memory(torch::randn({2, 3, 12, 10}));
  expect_same_memory(torch::randn({1, 3, 5, 5}));
}

TEST_F(ChannelsLastWeights, ViewsOfViewsGetContiguousMemory) {
  write_network("  y = y.view(y.size(0), -1, 2)\n  return torch.view_as_complex(y).abs()\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory(torch::randn({2, 3, 12, 10}));
  write_network("  return torch.view_as_complex(torch.unflatten(y, 3, [-1, 2])).abs()\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory(torch::randn({2, 3, 12, 10}));
}

TEST_F(ChannelsLastWeights, ListsAndDictsThatChangeHoldContiguousTensors) {
  for (const char* body : {"  l = [x]\n  l.append(y)\n  for i in range(2):\n    l.append(y * i)\n  return l\n",
                           "  l = [y, y]\n  l[1] = y + 1\n  return (l, y)\n",
                           "  d = {\"a\": y}\n  for i in range(2):\n    d[str(i)] = y * i\n  return d\n"}) {
    write_network(body);
    EXPECT_TRUE(is_stored_in_channels_last()) << body;
    expect_same_memory(torch::randn({2, 3, 12, 10}));
    expect_same_memory(torch::randn({1, 3, 6, 4}).contiguous(at::MemoryFormat::ChannelsLast));
  }
  write_network("  l = [y]\n  m = [l, l]\n  m[0].append(y + 1)\n  return (l[1].view(-1), l)\n");
  expect_same_memory(torch::randn({2, 3, 12, 10}));
}

TEST_F(ChannelsLastWeights, ListsThatGrowAreFollowed) {
  write_network(
      "  parts = list(torch.chunk(y, 2, 1))\n"
      "  for i in range(2):\n    parts.append(torch.relu(parts[-1] * (i + 2)))\n"
      "  return (torch.cat(parts, 1), parts[-1].view(-1))\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory(torch::randn({2, 3, 12, 10}));
  expect_same_memory(torch::randn({1, 3, 7, 9}));
}

TEST_F(ChannelsLastWeights, WhatAFloatNetworkPutsInChannelsLastItselfIsGivenOutSo) {
  takes_unbatched_ = false;
  for (const char* format : {"channels_last", "preserve"}) {
    WriteOptions options;
    options.memory_format = format;
    write_network("  return y.contiguous(memory_format=2)\n", options);
    expect_same_memory_everywhere();
  }
}

TEST_F(ChannelsLastWeights, ABranchOfTheNetworksOwnIsNoQuestionOfLayout) {
  write_network("  if x.size(0) > 0:\n    z = y\n  else:\n    z = y.contiguous()\n  return z\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory_everywhere();
}

TEST_F(ChannelsLastWeights, WhatTheFirstConvolutionIsGivenDecides) {
  write_network("  return torch.conv2d(y + 1, self.b.weight, None, [1, 1], [1, 1])\n", {}, "", {}, false,
                "  x = x.contiguous()\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory_everywhere();
}

TEST_F(ChannelsLastWeights, TiedWeightsStayOne) {
  const at::Tensor weight = torch::randn({8, 8, 3, 3}) / 6;
  write_network(
      "  y = torch.conv2d(y, self.c.weight, None, [1, 1], [1, 1])\n"
      "  return torch.conv2d(y, self.d.weight, None, [1, 1], [1, 1])\n",
      {}, "", {{"c.weight", weight}, {"d.weight", weight}});
  EXPECT_TRUE(is_stored_in_channels_last());
  const auto weight_of = [this](const char* layer) {
    return written_.attr(layer).toModule().attr("weight").toTensor();
  };
  EXPECT_TRUE(weight_of("c").is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(weight_of("c").data_ptr(), weight_of("d").data_ptr());
  expect_same_memory_everywhere();
  write_network("  return torch.conv2d(y, self.c.weight)\n", {}, "", {{"c.weight", weight}, {"held", weight}});
  EXPECT_TRUE(is_stored_in_channels_last());
  EXPECT_TRUE(weight_of("c").is_contiguous());
  EXPECT_EQ(weight_of("c").data_ptr(), written_.attr("held").toTensor().data_ptr());
}

TEST_F(ChannelsLastWeights, MethodsThatShareLayersAreAllWrittenSo) {
  write_network("  return y\n", {},
                "def features(self, x):\n  y = torch.conv2d(x, self.a.weight, self.a.bias)\n"
                "  return torch.conv2d(y, self.b.weight).view(-1, 8, 4)\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory_everywhere();
  const at::Tensor x = torch::randn({1, 3, 12, 12});
  const torch::NoGradGuard no_grad;
  expect_same(original_.get_method("features")({x}), written_.get_method("features")({x}));
}

TEST_F(ChannelsLastWeights, WritesUnderOtherNamesAreSeen) {
  const char* const in_a_branch = "  if x.size(3) > 10:\n    f = y.contiguous()\n    f[:, 0] = 0.0\n  return y * 1\n";
  for (const char* body :
       {in_a_branch, "  if x.size(3) > 10:\n    f = y.flatten(1)\n    f.mul_(2.0)\n  return y * 1\n",
        "  z = y.permute(0, 2, 3, 1).contiguous()\n  if x.size(3) > 10:\n    z[:, 0] = 0.0\n  return (y * 1, z)\n",
        "  if y.contiguous() is y:\n    y = y + 1\n  return y\n"}) {
    expect_left(body);
    expect_same_memory(torch::randn({2, 3, 12, 14}));
  }
  expect_left("  self.seen = y\n  self.seen.add_(1.0)\n  return y\n", {{"seen", torch::zeros({1})}});

  write_network(in_a_branch);
  torch::jit::Module int8 = written_in_int8();
  const at::Tensor output = int8.forward({torch::randn({2, 3, 12, 14})}).toTensor();
  EXPECT_EQ(output.select(1, 0).abs().max().item<double>(), 0) << "what was written is lost";
}

TEST_F(ChannelsLastWeights, BranchesAndLoopsHandItOn) {
  write_network(
      "  if x.size(2) > 8:\n    z = y * 2\n  else:\n    z = y - 1\n"
      "  for i in range(2):\n    z = torch.sigmoid(z) + y\n  return z\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory_everywhere();
}

TEST_F(ChannelsLastWeights, StateIsContiguous) {
  write_network("  y = y + self.seen\n  self.seen = y\n  return y.sum()\n", {}, "", {{"seen", torch::zeros({1})}});
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory(torch::randn({2, 3, 12, 10}));
  EXPECT_TRUE(written_.attr("seen").toTensor().is_contiguous());
}

TEST_F(ChannelsLastWeights, AFileThatIsFusedAgainStaysAsItIs) {
  write_network("  return y\n");
  const std::vector<std::string> before = operators();
  std::filesystem::rename(folder_ / "out.pt", folder_ / "once.pt");
  write_file("once.pt", {});
  EXPECT_EQ(operators(), before);
  EXPECT_TRUE(is_stored_in_channels_last());
}

TEST_F(ChannelsLastWeights, ANetworkInChannelsLastGivesItsResultsSo) {
  format_ = at::MemoryFormat::ChannelsLast;
  write_network("  return y\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  expect_same_memory_everywhere();
}

TEST_F(ChannelsLastWeights, ArePreservedWhereThatIsAskedFor) {
  WriteOptions options;
  options.memory_format = "preserve";
  write_network("  return y\n", options);
  EXPECT_FALSE(is_stored_in_channels_last());
  EXPECT_EQ(code().find("aten::contiguous"), std::string::npos);
  options.memory_format = "spiral";
  Model model = read(folder_ / "in.pt");
  EXPECT_THROW(write(std::move(model), folder_ / "other.pt", options), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "other.pt"));
}

TEST_F(ChannelsLastWeights, ANetworkThatCanTellIsLeft) {
  expect_left("  return y + y.stride(1)\n");
  expect_left("  return y.as_strided([4, 4], [4, 1])\n");
  expect_left("  if y.is_contiguous():\n    y = y + 1\n  return y\n");
  expect_left("  return y.add(torch.rand_like(y))\n");
  expect_left("  return torch.dropout(y, 0.5, self.training)\n", {}, /*training=*/true);
  expect_left("  y.view(-1)[3] = 5.0\n  return y\n");
}

TEST_F(ChannelsLastWeights, WhatDoesNotPayIsLeft) {
  expect_left("  y = torch.instance_norm(y, None, None, None, None, True, 0.0, 1e-05, False)\n  return y\n");
}

TEST_F(ChannelsLastWeights, WeightsThatAreReadOtherwiseAreLeft) {
  expect_left("  return y + self.b.weight.sum()\n");
  write_network("  return y\n", {}, "def norm(self):\n  return self.b.weight.norm()\n");
  EXPECT_FALSE(is_stored_in_channels_last());
  expect_same_memory(torch::randn({2, 3, 12, 10}));
}

TEST_F(ChannelsLastWeights, OtherDtypesAreLeft) {
  Tensors doubles;
  for (const char* layer : {"c", "d"})
    doubles[std::string(layer) + ".weight"] = torch::randn({8, 8, 3, 3}, at::kDouble);
  write_network("  y = torch.conv2d(y.double(), self.c.weight)\n  return torch.conv2d(y, self.d.weight)\n", {}, "",
                doubles);
  EXPECT_TRUE(is_stored_in_channels_last());
  EXPECT_TRUE(written_.attr("d").toModule().attr("weight").toTensor().is_contiguous());
  expect_same_memory(torch::randn({2, 3, 12, 10}));
}

TEST_F(ChannelsLastWeights, WhatAnInt8NetworkGivesOutIsContiguous) {
  write_network("  y = torch.conv2d(y, self.c.weight)\n  return (y, torch.relu(y).view(y.size(0), 2, 4, -1))\n", {}, "",
                {{"c.weight", torch::randn({8, 8, 3, 3}) / 6}});
  for (const char* target : {"portable", "cpu"}) {
    if (target == std::string("cpu") && !target::PackedLayers::are_supported()) continue;
    for (const char* format : {"channels_last", "preserve"}) {
      SCOPED_TRACE(fmt::format("{} {}", target, format));
      WriteOptions options;
      options.target = target;
      options.memory_format = format;
      torch::jit::Module int8 = written_in_int8(options, {"b", "c"});
      const std::string text = int8.get_method("forward").graph()->toString(false);
      EXPECT_EQ(test::count_of("prim::If(", text), target == std::string("cpu") ? 5U : 2U) << text;
      for (const std::int64_t width : {10, 7}) {
        const c10::IValue outputs = int8.forward({torch::randn({2, 3, 12, width})});
        for (const c10::IValue& output : outputs.toTupleRef().elements())
          EXPECT_TRUE(output.toTensor().is_contiguous()) << width;
      }
    }
  }
}

TEST_F(ChannelsLastWeights, WhatAnInt8NetworkPutsInChannelsLastItselfIsNotGivenOutSo) {
  const char* const norm =
      "torch.batch_norm(y.contiguous(), self.scale, self.shift, self.mean, self.variance, False, 0.1, 1e-5, True)";
  for (const auto& [last, op] : std::map<std::string, std::string>{{"torch.max_pool2d(y, [2, 2])", "aten::slice"},
                                                                   {norm, "quantized::batch_norm"}}) {
    write_network("  y = torch.conv2d(torch.relu(y), self.c.weight)\n  return " + last + "\n", {}, "",
                  {{"c.weight", torch::randn({3, 8, 1, 1}) / 6},
                   {"scale", torch::rand({3}) + 0.5},
                   {"shift", torch::randn({3})},
                   {"mean", torch::randn({3})},
                   {"variance", torch::rand({3}) + 0.5}});
    torch::jit::Module int8 = written_in_int8();
    const std::string text = int8.get_method("forward").graph()->toString(false);
    EXPECT_GE(test::count_of(op + "(", text), 1U) << text;
    EXPECT_TRUE(int8.forward({torch::randn({2, 3, 12, 10})}).toTensor().is_contiguous()) << text;
  }
}

TEST_F(ChannelsLastWeights, GradientsFlowAsBefore) {
  needs_gradients_ = true;
  write_network("  return y.sum()\n");
  EXPECT_TRUE(is_stored_in_channels_last());
  const at::Tensor x = torch::randn({2, 3, 12, 10});
  const torch::AutoGradMode with_gradients(true);
  for (torch::jit::Module* module : {&original_, &written_}) {
    const at::Tensor sum = module->forward({x}).toTensor();
    ASSERT_TRUE(sum.requires_grad()) << (module == &original_);
    sum.backward();
  }
  const auto gradient = [](const torch::jit::Module& module) {
    return module.attr("a").toModule().attr("weight").toTensor().grad();
  };
  ASSERT_TRUE(gradient(written_).defined());
  EXPECT_TRUE(torch::allclose(gradient(original_), gradient(written_), 1e-4, 1e-4));
}

}  // namespace
}  // namespace fusekit
