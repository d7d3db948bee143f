// Modules of a program's own in the tree that is written: packed weights that survive a save.
#include "file/new_module_fixture.h"
#include "fusekit/fuse.h"
#include "fusekit/quantize.h"

namespace fusekit {
namespace {

using test::after_a_save;
using test::child_names;
using test::count_of;
using test::has;
using test::kTwoConvolutions;
using test::negating_convolution;
using test::output_on_picture;
using test::pack_convolutions;
using test::path_names;
using test::PathNames;
using test::picture_of_six;
using test::two_convolutions;

class NewModuleInAFile : public test::NewModuleFixture {};

TEST_F(NewModuleInAFile, ComputesTheSameAfterASaveAndASecondSave) {
  start();
  ASSERT_EQ(pack_convolutions(program(), negating_convolution), (PathNames{"stem.conv", "mid"}));
  torch::jit::Module built = tree();
  EXPECT_TRUE(at::equal(output_on_picture(built), truth()));
  torch::jit::Module once = after_a_save(built);
  EXPECT_TRUE(at::equal(output_on_picture(once), truth()));
  torch::jit::Module twice = after_a_save(once);
  EXPECT_TRUE(at::equal(output_on_picture(twice), truth()));
  const at::Tensor packed = twice.attr("mid").toModule().attr("packed").toTensor();
  EXPECT_TRUE(at::equal(packed, -original_.attr("mid").toModule().attr("weight").toTensor()));
}

TEST_F(NewModuleInAFile, WhatIsPackedIsNotSaved) {
  at::manual_seed(6);
  start(test::make_module("Net", {{"big.weight", at::randn({64, 3, 20, 20})}, {"big.bias", at::randn({64})}},
                          "def forward(self, x):\n    return torch.conv2d(x, self.big.weight, self.big.bias)\n"));
  pack_convolutions(program(), negating_convolution);
  tree().save((folder_ / "packed.pt").string());
  EXPECT_LT(std::filesystem::file_size(folder_ / "packed.pt"), std::filesystem::file_size(folder_ / "net.pt") * 1.1);
}

TEST_F(NewModuleInAFile, ItsPackedWeightCanBeReadByTheGraph) {
  start();
  ir::Node* last = last_node();
  ir::Value* module = ir::add_module(program(), last, "mid", negating_convolution(at::ones({1}), at::ones({1})));
  ir::Value* packed = ir::read_module(last, module, "packed");
  const torch::jit::WithInsertPoint guard(last);
  last->replaceInput(0, program().methods.front().graph->insert(c10::aten::mul, {last->input(0), packed}));
  torch::jit::Module loaded = after_a_save(after_a_save(tree()));
  const at::Tensor mid_weight = original_.attr("mid").toModule().attr("weight").toTensor();
  EXPECT_EQ(loaded.attr("mid_1").toModule().attr("packed").toTensor().item<float>(), -1);
  EXPECT_TRUE(at::equal(loaded.attr("mid").toModule().attr("weight").toTensor(), mid_weight));
}

TEST_F(NewModuleInAFile, AFileWithSuchModulesIsReadAndTheyStayAsTheyAre) {
  start();
  pack_convolutions(program(), negating_convolution);
  const torch::jit::Module written = after_a_save(tree());
  torch::jit::Module again = read_again(written);
  EXPECT_TRUE(at::equal(output_on_picture(again), truth()));
  torch::jit::Module loaded = after_a_save(again);
  EXPECT_TRUE(at::equal(output_on_picture(loaded), truth()));
  EXPECT_EQ(count_of("prim::CallMethod[name=\"forward\"]", loaded.get_method("forward").graph()->toString()), 2U);
  EXPECT_EQ(path_names(loaded.named_parameters()), path_names(original_.named_parameters()));
  EXPECT_EQ(loaded.attr("mid").toModule().type()->name()->qualifiedName(), "__torch__.fusekit.NegatingConv2d");
}

TEST_F(NewModuleInAFile, IsFusedAround) {
  // A file with packed modules, and a BatchNorm behind a plain convolution beside them.
  std::map<std::string, at::Tensor> tensors = two_convolutions();
  tensors.insert({{"bn.weight", at::rand({2})},
                  {"bn.bias", at::randn({2})},
                  {"bn.running_mean", at::randn({2})},
                  {"bn.running_var", at::rand({2}) + 1}});
  start(
      test::make_module("Net", tensors,
                        "def forward(self, x):\n"
                        "    x = torch.conv2d(x, self.stem.conv.weight, self.stem.conv.bias)\n"
                        "    x = torch._convolution(x, self.mid.weight, self.mid.bias, [1, 1], [0, 0], [1, 1], False,\n"
                        "                           [0, 0], 1, False, False, True, True)\n"
                        "    return torch.batch_norm(x, self.bn.weight, self.bn.bias, self.bn.running_mean,\n"
                        "                            self.bn.running_var, False, 0.1, 1e-5, True)\n"));
  ASSERT_EQ(pack_convolutions(program(), negating_convolution).size(), 1U);
  test::save_module(tree(), folder_ / "packed.pt");
  Model again = read(folder_ / "packed.pt");
  fuse(again);
  torch::jit::Module fused = after_a_save(again.to_module());
  EXPECT_EQ(child_names(fused), (PathNames{"mid", "stem"}));
  EXPECT_TRUE(at::allclose(output_on_picture(fused), truth(), 1e-4, 1e-5));
}

TEST_F(NewModuleInAFile, CopiesOfTheProgramHaveIt) {
  start();
  pack_convolutions(program(), negating_convolution);
  const ir::Program copy = ir::copy_of(program());
  program_.reset();
  torch::jit::Module loaded = after_a_save(file::rebuild(copy));
  EXPECT_TRUE(at::equal(output_on_picture(loaded), truth()));
}

TEST_F(NewModuleInAFile, TwoTreesOfOneProgramAreTwo) {
  start();
  pack_convolutions(program(), negating_convolution);
  torch::jit::Module first = tree();
  torch::jit::Module second = tree();
  first.attr("mid").toModule().setattr("packed", at::zeros({2, 4, 3, 3}));
  EXPECT_TRUE(at::equal(output_on_picture(second), truth()));
  EXPECT_FALSE(at::equal(output_on_picture(first), truth()));
}

TEST_F(NewModuleInAFile, CanBeCopiedMovedAndSwitchedToTraining) {
  start();
  pack_convolutions(program(), negating_convolution);
  torch::jit::Module loaded = after_a_save(tree());
  torch::jit::Module copy = loaded.deepcopy();
  EXPECT_TRUE(at::equal(output_on_picture(copy), truth()));
  loaded.train();
  EXPECT_TRUE(loaded.attr("mid").toModule().is_training());
  EXPECT_TRUE(after_a_save(loaded).attr("mid").toModule().is_training());
  loaded.eval();
  EXPECT_FALSE(after_a_save(loaded).attr("mid").toModule().is_training());
  loaded.to(at::kCPU);
  EXPECT_TRUE(at::equal(output_on_picture(loaded), truth()));
  loaded.to(at::kDouble);
  EXPECT_EQ(loaded.attr("mid").toModule().attr("weight").toTensor().scalar_type(), at::kDouble);
  const at::Tensor doubles = loaded.forward({picture_of_six().to(at::kDouble)}).toTensor();
  EXPECT_TRUE(at::allclose(doubles, truth().to(at::kDouble), 1e-4, 1e-4));
  torch::jit::Module packed_anew = after_a_save(loaded);
  EXPECT_EQ(packed_anew.attr("mid").toModule().attr("packed").toTensor().scalar_type(), at::kDouble);
  EXPECT_TRUE(at::allclose(packed_anew.forward({picture_of_six().to(at::kDouble)}).toTensor(), doubles));
}

TEST_F(NewModuleInAFile, RequiresGradIsKept) {
  std::map<std::string, at::Tensor> tensors = two_convolutions();
  tensors.at("mid.weight").requires_grad_(true);
  start(test::make_module("Net", tensors, kTwoConvolutions));
  pack_convolutions(program(), negating_convolution);
  const torch::jit::Module loaded = after_a_save(tree());
  EXPECT_TRUE(loaded.attr("mid").toModule().attr("weight").toTensor().requires_grad());
  EXPECT_FALSE(loaded.attr("mid").toModule().attr("packed").toTensor().requires_grad());
  EXPECT_FALSE(loaded.attr("mid").toModule().attr("bias").toTensor().requires_grad());
}

TEST_F(NewModuleInAFile, TheRestOfTheNetworkCanBeQuantized) {
  start(test::make_module(
      "Net", two_convolutions(),
      "def forward(self, x):\n"
      "    x = torch.relu(torch.conv2d(x, self.stem.conv.weight, self.stem.conv.bias))\n"
      "    return torch._convolution(x, self.mid.weight, self.mid.bias, [1, 1], [0, 0], [1, 1], False, [0, 0], 1,\n"
      "                              False, False, True, True)\n"));
  ASSERT_EQ(pack_convolutions(program(), negating_convolution).size(), 1U);
  Model network = read(folder_ / "net.pt");
  ModelParts::of(network).program = program();
  QuantizeOptions options;
  options.calibration.random = 4;
  options.calibration.inputs.dims = {{1, 3, 6, 6}};
  options.calibration.inputs.types = {"float"};
  EXPECT_GE(to_int8(network, options).int8_operators, 1U);
  torch::jit::Module loaded = after_a_save(after_a_save(network.to_module()));
  const std::string graph = loaded.get_method("forward").graph()->toString();
  EXPECT_TRUE(has(graph, "quantized::conv2d")) << graph;
  EXPECT_EQ(count_of("prim::CallMethod[name=\"forward\"]", graph), 1U);
  EXPECT_EQ(child_names(loaded), (PathNames{"mid", "stem"}));
  EXPECT_LT((output_on_picture(loaded) - truth()).abs().max().item<float>(), 0.05 * truth().abs().max().item<float>());
}

ir::NewModule reordered_convolution(const at::Tensor& weight, const at::Tensor& bias) {
  return {
      "PackedConv2d",
      {{"weight", c10::TensorType::get(), weight, ir::AttributeRole::parameter},
       {"bias", c10::TensorType::get(), bias, ir::AttributeRole::parameter},
       {"packed", c10::TensorType::get(), {}, ir::AttributeRole::packed}},
      "def pack(self) -> None:\n"
      "    self.packed = ops.mkldnn._reorder_convolution_weight(torch.detach(self.weight), [0, 0], [1, 1], [1, 1],\n"
      "                                                         1, None)\n"
      "def forward(self, x):\n"
      "    scalars = annotate(List[Optional[number]], [])\n"
      "    return ops.mkldnn._convolution_pointwise(x, self.packed, self.bias, [0, 0], [1, 1], [1, 1], 1, 'none',\n"
      "                                             scalars, '')\n"};
}

TEST_F(NewModuleInAFile, OneDnnsPackedWeightsSurvive) {
  if (!c10::Dispatcher::singleton().findSchema({"mkldnn::_reorder_convolution_weight", ""}))
    GTEST_SKIP() << "this LibTorch has no mkldnn::_reorder_convolution_weight";
  start();
  pack_convolutions(program(), reordered_convolution);
  torch::jit::Module built = tree();
  torch::jit::Module loaded = after_a_save(built);
  EXPECT_TRUE(loaded.attr("mid").toModule().attr("packed").toTensor().is_mkldnn());
  torch::jit::Module again = after_a_save(read_again(after_a_save(loaded)));
  torch::jit::Module copy = loaded.deepcopy();
  const float bound = 1e-5F * truth().abs().max().item<float>();
  for (torch::jit::Module* each : {&built, &loaded, &again, &copy})
    EXPECT_LT((output_on_picture(*each) - truth()).abs().max().item<float>(), bound);
}

c10::IValue prepacked(const at::Tensor& weight) {
  const auto packed = at::quantize_per_tensor(weight, 0.05, 0, at::kQInt8);
  torch::jit::Stack stack{packed,
                          c10::IValue(),
                          c10::List<std::int64_t>({1, 1}),
                          c10::List<std::int64_t>({0, 0}),
                          c10::List<std::int64_t>({1, 1}),
                          1};
  c10::Dispatcher::singleton().findSchemaOrThrow("quantized::conv2d_prepack", "").callBoxed(&stack);
  return stack.at(0);
}

TEST_F(NewModuleInAFile, AttributesMayBeObjectsOfCustomClasses) {
  start();
  const c10::IValue packed = prepacked(original_.attr("mid").toModule().attr("weight").toTensor());
  ir::Node* last = last_node();
  ir::NewModule module{
      "Int8Conv2d",
      {{"params", packed.type(), packed}, {"weight", c10::TensorType::get(), {}, ir::AttributeRole::packed}},
      "def pack(self) -> None:\n"
      "    weight, bias = ops.quantized.conv2d_unpack(self.params)\n"
      "    self.weight = torch.dequantize(weight)\n"};
  ir::Graph& graph = *program().methods.front().graph;
  ir::Value* module_value = ir::add_module(program(), last, "int8", std::move(module));
  graph.eraseOutput(0);
  graph.registerOutput(ir::read_module(last, module_value, "weight"));
  torch::jit::Module loaded = after_a_save(after_a_save(tree()));
  const at::Tensor weight = output_on_picture(loaded);
  EXPECT_LE((weight - original_.attr("mid").toModule().attr("weight").toTensor()).abs().max().item<float>(), 0.03);
}

}  // namespace
}  // namespace fusekit
