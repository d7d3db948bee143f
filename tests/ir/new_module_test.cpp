// Modules that a rewrite makes, before they are in any tree.
#include "ir/new_module.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include "fusekit/error.h"
#include "ir/flatten.h"
#include "ir/model_parts.h"
#include "ir/program.h"
#include "support/module.h"
#include "support/packed_module.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using test::has;
using test::negating_convolution;

class NewModuleTest : public ::testing::Test {
 protected:
  NewModuleTest() {
    test::save_module(test::make_module("Net", {{"weight", at::ones({1})}},
                                        "def forward(self, x):\n    return torch.add(x, self.weight)\n"),
                      folder_ / "net.pt");
    Model model = read(folder_ / "net.pt");
    program_ = std::make_unique<ir::Program>(ModelParts::of(model).program);
  }

  ir::Program& program() { return *program_; }
  ir::Graph& graph() { return *program_->methods.front().graph; }
  ir::Node* add() {
    for (ir::Node* node : graph().nodes())
      if (node->kind() == c10::aten::add) return node;
    return nullptr;
  }

  std::string error_of(const ir::NewModule& module) {
    try {
      ir::add_module(program(), add(), "new", module);
    } catch (const Error& error) {
      return error.message();
    }
    return {};
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<ir::Program> program_;
};

ir::NewModule negating() { return negating_convolution(at::randn({2, 3, 1, 1}), at::randn({2})); }

TEST_F(NewModuleTest, IsPackedAtOnceAndRunsInTheGraph) {
  const ir::NewModule module = negating();
  ir::Value* value = ir::add_module(program(), add(), "conv", module);
  ASSERT_EQ(ir::module_key(value), "conv");
  const at::Tensor weight = module.attributes.at(0).value.toTensor();
  EXPECT_TRUE(at::equal(program().modules.at("conv").object->getAttr("packed").toTensor(), -weight));

  ir::Value* called = ir::call_module(add(), value, "forward", {graph().inputs().at(1)});
  ir::Value* packed = ir::read_module(add(), value, "packed");
  graph().registerOutput(called);
  graph().registerOutput(packed);
  graph().lint();
  const torch::jit::Code code(program().methods.front().graph, "forward");
  const at::Tensor x = at::randn({1, 3, 4, 4});
  torch::jit::Stack stack{program().original._ivalue(), x};
  torch::jit::InterpreterState(code).run(stack);
  ASSERT_EQ(stack.size(), 3U);
  EXPECT_TRUE(at::equal(stack[1].toTensor(), at::conv2d(x, weight, module.attributes.at(1).value.toTensor())));
  EXPECT_TRUE(at::equal(stack[2].toTensor(), -weight));
}

TEST_F(NewModuleTest, OneClassWhereNameSourceAndAttributesAgree) {
  const auto type_of = [this](const ir::NewModule& module) {
    return program().modules.at(*ir::module_key(ir::add_module(program(), add(), "conv", module))).object->type();
  };
  const auto first = type_of(negating());
  EXPECT_EQ(first, type_of(negating()));
  ir::NewModule other = negating();
  other.attributes.push_back({"size", c10::IntType::get(), 3});
  EXPECT_NE(first, type_of(other));
  ir::NewModule rewritten = negating();
  rewritten.source += "def other(self) -> int:\n    return 1\n";
  EXPECT_NE(first, type_of(rewritten));
  EXPECT_EQ(program().modules.size(), 4U);
}

TEST_F(NewModuleTest, AnUnknownOperatorIsAnErrorAndLeavesTheProgramAsItWas) {
  const std::string before = graph().toString();
  ir::NewModule module = negating();
  module.source = "def pack(self) -> None:\n    self.packed = ops.nowhere.reorder(self.weight)\n";
  for (int again = 0; again < 2; ++again) {
    const std::string message = error_of(module);
    EXPECT_TRUE(has(message, "NegatingConv2d can't be compiled")) << message;
    EXPECT_TRUE(has(message, "nowhere::reorder")) << message;
  }
  EXPECT_TRUE(program().modules.empty());
  EXPECT_EQ(graph().toString(), before);
  EXPECT_EQ(error_of(negating()), "");
}

TEST_F(NewModuleTest, AnErrorInPackIsToldAndLeavesTheProgramAsItWas) {
  ir::NewModule module = negating();
  module.source = "def pack(self) -> None:\n    self.packed = torch.reshape(self.weight, [7, 7])\n";
  const std::string message = error_of(module);
  EXPECT_TRUE(has(message, "NegatingConv2d can't be packed")) << message;
  EXPECT_TRUE(program().modules.empty());
}

TEST_F(NewModuleTest, ArgumentsThatDoNotFitAreAnError) {
  ir::Value* value = ir::add_module(program(), add(), "conv", negating());
  EXPECT_THROW(ir::call_module(add(), value, "forward", {}), Error);
  EXPECT_THROW(ir::call_module(add(), value, "forward", {"text"}), Error);
  EXPECT_THROW(ir::call_module(add(), value, "no_such_method", {}), Error);
}

TEST_F(NewModuleTest, WithoutAPathItGoesByItsClass) {
  ir::NewModule module = negating();
  EXPECT_EQ(ir::module_key(ir::add_module(program(), add(), "", module)), "NegatingConv2d");
}

}  // namespace
}  // namespace fusekit
