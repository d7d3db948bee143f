// Modules of a program's own in the tree that is written: packed weights that survive a save.
#include "ir/new_module.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include <sstream>

#include "file/rebuild.h"
#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/quantize.h"
#include "ir/model_parts.h"
#include "ir/program.h"
#include "support/module.h"
#include "support/packed_module.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using test::count_of;
using test::has;
using test::negating_convolution;
using test::pack_convolutions;
using PathNames = std::vector<std::string>;

const char* const kTwoConvolutions =
    "def forward(self, x):\n"
    "    x = torch.relu(torch.conv2d(x, self.stem.conv.weight, self.stem.conv.bias))\n"
    "    x = torch.conv2d(x, self.mid.weight, self.mid.bias)\n"
    "    return torch.linear(torch.flatten(x, 1), self.head.weight, self.head.bias)\n";

std::map<std::string, at::Tensor> two_convolutions() {
  at::manual_seed(5);
  return {{"stem.conv.weight", at::randn({4, 3, 3, 3})},
          {"stem.conv.bias", at::randn({4})},
          {"mid.weight", at::randn({2, 4, 3, 3})},
          {"mid.bias", at::randn({2})},
          {"head.weight", at::randn({5, 8})},
          {"head.bias", at::randn({5})}};
}

const at::Tensor& picture_of_six() {
  static const at::Tensor x = at::randn({1, 3, 6, 6});
  return x;
}

at::Tensor output_on_picture(torch::jit::Module& module) { return module.forward({picture_of_six()}).toTensor(); }

torch::jit::Module after_a_save(const torch::jit::Module& module) {
  std::stringstream file;
  module.save(file);
  return torch::jit::load(file);
}

template <typename List>
PathNames path_names(const List& list) {
  PathNames names;
  for (const auto& item : list) names.push_back(item.name);
  return names;
}

PathNames child_names(const torch::jit::Module& module) { return path_names(module.named_children()); }

/// A network from parts, read from a file.
class NewModuleInAFile : public ::testing::Test {
 protected:
  void start(torch::jit::Module module) {
    original_ = std::move(module);
    test::save_module(original_, folder_ / "net.pt");
    Model model = read(folder_ / "net.pt");
    program_ = std::make_unique<ir::Program>(ModelParts::of(model).program);
  }
  void start() { start(test::make_module("Net", two_convolutions(), kTwoConvolutions)); }

  ir::Program& program() { return *program_; }
  /// Of forward: the operator that gives the output.
  ir::Node* last_node() { return *program().methods.front().graph->nodes().rbegin(); }
  torch::jit::Module tree() { return file::rebuild(program()); }
  /// The tree of the file that FuseKit makes of `module`'s file.
  torch::jit::Module read_again(const torch::jit::Module& module) {
    test::save_module(module, folder_ / "again.pt");
    return read(folder_ / "again.pt").to_module();
  }
  at::Tensor truth() { return output_on_picture(original_); }

  test::TemporaryFolder folder_;
  torch::jit::Module original_;
  std::unique_ptr<ir::Program> program_;
};

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

TEST_F(NewModuleInAFile, StandsWhereTheOriginalStoodWithItsNames) {
  start();
  pack_convolutions(program(), negating_convolution);
  const torch::jit::Module module = after_a_save(tree());
  EXPECT_EQ(child_names(module), child_names(original_));
  EXPECT_EQ(path_names(module.named_parameters()), path_names(original_.named_parameters()));
  const torch::jit::Module mid = module.attr("mid").toModule();
  EXPECT_EQ(mid.type()->name()->qualifiedName(), "__torch__.fusekit.NegatingConv2d");
  EXPECT_EQ(mid.type(), module.attr("stem").toModule().attr("conv").toModule().type());
  EXPECT_EQ(count_of("prim::CallMethod[name=\"forward\"]", module.get_method("forward").graph()->toString()), 2U);
}

TEST_F(NewModuleInAFile, WhatIsPackedIsNotSaved) {
  at::manual_seed(6);
  start(test::make_module("Net", {{"big.weight", at::randn({64, 3, 20, 20})}, {"big.bias", at::randn({64})}},
                          "def forward(self, x):\n    return torch.conv2d(x, self.big.weight, self.big.bias)\n"));
  pack_convolutions(program(), negating_convolution);
  tree().save((folder_ / "packed.pt").string());
  EXPECT_LT(std::filesystem::file_size(folder_ / "packed.pt"), std::filesystem::file_size(folder_ / "net.pt") * 1.1);
}

TEST_F(NewModuleInAFile, CarriesOnTheSettingsOfTheOriginal) {
  torch::jit::Module module = test::make_module("Net", two_convolutions(), kTwoConvolutions);
  torch::jit::Module mid = module.attr("mid").toModule();
  mid.register_attribute("stride", c10::TupleType::create({c10::IntType::get(), c10::IntType::get()}),
                         c10::ivalue::Tuple::create({1, 2}));
  mid.register_attribute("pack", c10::IntType::get(), 7);  // a method of the new class
  mid.register_buffer("never_read", at::ones({2}));
  mid.setattr("training", true);
  mid.type()->addConstant("padding_mode", std::string("zeros"));
  start(module);
  pack_convolutions(program(), negating_convolution);
  const torch::jit::Module loaded = after_a_save(tree());
  const torch::jit::Module packed = loaded.attr("mid").toModule();
  EXPECT_EQ(packed.attr("stride").toTupleRef().elements().at(1).toInt(), 2);
  EXPECT_EQ(packed.attr("padding_mode").toStringRef(), "zeros");
  EXPECT_TRUE(packed.attr("training").toBool());
  EXPECT_FALSE(packed.hasattr("pack"));
  EXPECT_EQ(path_names(loaded.named_buffers()), (PathNames{"mid.never_read"}));
  EXPECT_FALSE(loaded.attr("stem").toModule().attr("conv").toModule().attr("training").toBool());
}

TEST_F(NewModuleInAFile, ANameThatIsInUseStays) {
  start();
  ir::Node* linear = last_node();
  const auto identity = [&](const std::string& path) {
    ir::Value* module = ir::add_module(program(), linear, path, {"Same", {}, "def forward(self, x):\n    return x\n"});
    linear->replaceInput(0, ir::call_module(linear, module, "forward", {linear->input(0)}));
  };
  for (const char* path : {"head", "head", "stem", "mid.weight", "stem.inner", "training", "forward", "nowhere.deep"})
    identity(path);
  torch::jit::Module module = after_a_save(tree());
  EXPECT_EQ(child_names(module), (PathNames{"head", "mid", "stem", "forward_1", "head_1", "head_2", "nowhere_deep",
                                            "stem_1", "training_1"}));
  EXPECT_EQ(child_names(module.attr("mid").toModule()), (PathNames{"weight_1"}));
  EXPECT_EQ(child_names(module.attr("stem").toModule()), (PathNames{"conv", "inner"}));
  EXPECT_TRUE(at::equal(output_on_picture(module), truth()));
}

TEST_F(NewModuleInAFile, AnOriginalThatIsStillReadStaysBesideIt) {
  start(test::make_module("Net", two_convolutions(),
                          kTwoConvolutions + std::string("def plain(self):\n    return self.mid.weight + 1\n")));
  pack_convolutions(program(), negating_convolution);
  torch::jit::Module module = after_a_save(tree());
  EXPECT_EQ(child_names(module), (PathNames{"head", "mid", "stem", "mid_1"}));
  EXPECT_TRUE(at::equal(output_on_picture(module), truth()));
  const torch::jit::Module mid = module.attr("mid").toModule();
  const torch::jit::Module packed = module.attr("mid_1").toModule();
  EXPECT_TRUE(mid.attr("weight").toTensor().is_alias_of(packed.attr("weight").toTensor()));
}

TEST_F(NewModuleInAFile, AModuleUnderTwoNamesStaysOne) {
  torch::jit::Module module = test::make_module("Net", {}, "");
  const torch::jit::Module shared =
      test::make_module("Shared", {{"weight", at::randn({3, 3, 1, 1})}, {"bias", at::randn({3})}}, "");
  module.register_module("first", shared);
  module.register_module("second", shared);
  module.define(
      "def forward(self, x):\n"
      "    x = torch.conv2d(x, self.first.weight, self.first.bias)\n"
      "    return torch.mul(x, 2)\n");
  start(module);
  pack_convolutions(program(), negating_convolution);
  torch::jit::Module loaded = after_a_save(tree());
  EXPECT_EQ(child_names(loaded), (PathNames{"first", "second"}));
  EXPECT_EQ(loaded.attr("first").toModule()._ivalue(), loaded.attr("second").toModule()._ivalue());
  EXPECT_TRUE(at::equal(output_on_picture(loaded), truth()));
}

TEST_F(NewModuleInAFile, OneModuleCanBeCalledAtTwoPlaces) {
  start();
  ir::Node* last = last_node();
  ir::NewModule twice{"Twice", {}, "def forward(self, x):\n    return x * 2.\n"};
  ir::Value* first = ir::add_module(program(), last, "twice", std::move(twice));
  ir::Value* second = ir::insert_module(program(), last, *ir::module_key(first));
  ir::Value* doubled = ir::call_module(last, first, "forward", {last->input(0)});
  last->replaceInput(0, ir::call_module(last, second, "forward", {doubled}));
  torch::jit::Module module = after_a_save(tree());
  EXPECT_EQ(child_names(module), (PathNames{"head", "mid", "stem", "twice"}));
  EXPECT_FALSE(at::equal(output_on_picture(module), truth()));
  EXPECT_EQ(count_of("prim::GetAttr[name=\"twice\"]", module.get_method("forward").graph()->toString()), 1U);
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

TEST_F(NewModuleInAFile, NewOnesBesideOldOnesGetAClassNameOfTheirOwn) {
  start();
  pack_convolutions(program(), negating_convolution);
  start(after_a_save(tree()));
  ir::Node* last = last_node();
  const at::Tensor weight = at::randn({2, 2, 1, 1});
  ir::Value* module = ir::add_module(program(), last, "mid.deeper", negating_convolution(weight, at::zeros({2})));
  ir::Value* packed = ir::read_module(last, module, "packed");
  program().methods.front().graph->registerOutput(packed);
  torch::jit::Module loaded = tree();
  // "mid" packs its own state, so nothing can be added to it.
  EXPECT_EQ(child_names(loaded), (PathNames{"head", "mid", "stem", "mid_deeper"}));
  EXPECT_NE(loaded.attr("mid_deeper").toModule().type()->name(), loaded.attr("mid").toModule().type()->name());
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
  program().methods.front().graph->registerOutput(
      ir::read_module(last, ir::add_module(program(), last, "int8", std::move(module)), "weight"));
  const torch::jit::Module built = tree();
  const at::Tensor weight = built.attr("int8").toModule().attr("weight").toTensor();
  EXPECT_LE((weight - original_.attr("mid").toModule().attr("weight").toTensor()).abs().max().item<float>(), 3.0);
}

}  // namespace
}  // namespace fusekit
