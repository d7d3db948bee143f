// Where a program's new modules stand in the tree that is written, and what they carry on.
#include "file/new_module_fixture.h"

namespace fusekit {
namespace {

using test::after_a_save;
using test::child_names;
using test::count_of;
using test::kTwoConvolutions;
using test::negating_convolution;
using test::output_on_picture;
using test::pack_convolutions;
using test::path_names;
using test::PathNames;
using test::two_convolutions;

class NewModulePlace : public test::NewModuleFixture {};

TEST_F(NewModulePlace, StandsWhereTheOriginalStoodWithItsNames) {
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

TEST_F(NewModulePlace, CarriesOnTheSettingsOfTheOriginal) {
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

TEST_F(NewModulePlace, ANameThatIsInUseStays) {
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

TEST_F(NewModulePlace, AnOriginalThatIsStillReadStaysBesideIt) {
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

TEST_F(NewModulePlace, AModuleUnderTwoNamesStaysOne) {
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

TEST_F(NewModulePlace, OneModuleCanBeCalledAtTwoPlaces) {
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
  EXPECT_FALSE(module.attr("twice").toModule().is_training()) << "it has no attribute `training`";
  EXPECT_EQ(count_of("prim::GetAttr[name=\"twice\"]", module.get_method("forward").graph()->toString()), 1U);
}

TEST_F(NewModulePlace, NewOnesBesideOldOnesGetAClassNameOfTheirOwn) {
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

}  // namespace
}  // namespace fusekit
