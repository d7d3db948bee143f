// Questions to lists and dicts that are attributes of modules: answered once where nothing changes them.
#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/model.h"
#include "ir/model_parts.h"
#include "ir/program.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using test::has;

/// A module with the attributes `names` ({"a": "out"}), `sizes` ([3, 4]) and, if asked for, `alias`, which is `names`.
torch::jit::Module module_with(const std::string& source, bool with_alias = false) {
  torch::jit::Module module("__torch__.test.Lookup");
  c10::Dict<std::string, std::string> names;
  names.insert("a", "out");
  const auto type = c10::DictType::create(c10::StringType::get(), c10::StringType::get());
  module.register_attribute("names", type, names);
  if (with_alias) module.register_attribute("alias", type, module.attr("names"));
  module.register_attribute("sizes", c10::ListType::ofInts(), c10::List<std::int64_t>({3, 4}));
  module.define(source);
  return module;
}

struct Flat {
  std::string graph;         ///< of forward, as it was read
  torch::jit::Module again;  ///< rebuilt, written and loaded
};

Flat flat(const torch::jit::Module& module) {
  const test::TemporaryFolder folder;
  test::save_module(module, folder / "model.pt");
  Model model = read(folder / "model.pt");
  std::string graph = ModelParts::of(model).program.methods.front().graph->toString(false);
  model.to_module().save((folder / "again.pt").string());
  return {graph, torch::jit::load((folder / "again.pt").string())};
}

const char* const kAsks =
    "def forward(self, x):\n"
    "    y = x\n"
    "    if 'a' in self.names:\n"
    "        y = torch.relu(y) * self.sizes[-1]\n"
    "    if 'b' in self.names and self.names['a'] == 'out':\n"
    "        y = torch.sigmoid(y)\n"
    "    return y + len(self.sizes)\n";

const char* const kChanges =
    "def change(self):\n"
    "    self.names['b'] = 'more'\n";

const char* const kAssigns =
    "def change(self):\n"
    "    self.names = {'a': 'out', 'b': 'more'}\n";

TEST(Lookups, AreAnsweredWhereNothingChangesTheContainer) {
  Flat answered = flat(module_with(kAsks));
  for (const char* gone : {"prim::If", "aten::sigmoid", "aten::__contains__", "aten::__getitem__", "aten::len"})
    EXPECT_FALSE(has(answered.graph, gone)) << gone << "\n" << answered.graph;
  const at::Tensor x = at::tensor({-1.0F, 2.0F});
  EXPECT_TRUE(at::equal(answered.again.forward({x}).toTensor(), at::tensor({2.0F, 10.0F})));
}

TEST(Lookups, AreLeftWhereAMethodChangesTheContainer) {
  for (const char* change : {kChanges, kAssigns}) {
    Flat open = flat(module_with(std::string(kAsks) + change));
    EXPECT_TRUE(has(open.graph, "aten::__contains__")) << open.graph;
    EXPECT_FALSE(has(open.graph, "aten::len")) << open.graph;  // nothing changes the sizes
    const at::Tensor x = at::tensor({2.0F});
    EXPECT_TRUE(at::equal(open.again.forward({x}).toTensor(), at::tensor({10.0F})));
    open.again.run_method("change");
    EXPECT_TRUE(at::allclose(open.again.forward({x}).toTensor(), at::tensor({8.0F}).sigmoid() + 2));
  }
}

TEST(Lookups, AreLeftWhereTheContainerIsChangedByAnotherName) {
  const std::string change = "def change(self):\n    self.alias['b'] = 'more'\n";
  Flat open = flat(module_with(kAsks + change, /*with_alias=*/true));
  EXPECT_TRUE(has(open.graph, "aten::__contains__")) << open.graph;
  open.again.run_method("change");
  EXPECT_TRUE(at::allclose(open.again.forward({at::tensor({2.0F})}).toTensor(), at::tensor({8.0F}).sigmoid() + 2));
}

TEST(Lookups, WhatIsNotThereGoesOnRaising) {
  Flat open = flat(module_with("def forward(self, x):\n    return x * self.sizes[7]\n"));
  EXPECT_TRUE(has(open.graph, "aten::__getitem__")) << open.graph;
  EXPECT_ANY_THROW(open.again.forward({at::ones({2})}));
}

}  // namespace
}  // namespace fusekit
