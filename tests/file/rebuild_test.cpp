#include "file/rebuild.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include <set>

#include "fusekit/model.h"
#include "ir/model_parts.h"
#include "ir/program.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

using Names = std::vector<std::string>;

torch::jit::Module layer_with(const std::string& class_name, const at::Tensor& weight) {
  torch::jit::Module module("__torch__.test." + class_name);
  module.register_parameter("weight", weight, /*is_buffer=*/false);
  return module;
}

/// The tree that a read and a rebuild make of a module, without any rewrite.
torch::jit::Module rebuilt(const torch::jit::Module& module) {
  const test::TemporaryFolder folder;
  test::save_module(module, folder / "model.pt");
  return read(folder / "model.pt").to_module();
}

/// The same after it has been written and loaded.
torch::jit::Module reloaded(const torch::jit::Module& module) {
  const test::TemporaryFolder folder;
  test::save_module(rebuilt(module), folder / "rebuilt.pt");
  return torch::jit::load((folder / "rebuilt.pt").string());
}

Names children_of(const torch::jit::Module& module) {
  Names names;
  for (const auto& child : module.named_children()) names.push_back(child.name);
  return names;
}

template <typename List>
Names names_of(const List& list) {
  Names names;
  for (const auto& item : list) names.push_back(item.name);
  return names;
}

at::Tensor output_of(torch::jit::Module& module, const at::Tensor& input) { return module.forward({input}).toTensor(); }

TEST(Rebuild, ChildrenKeepTheirOrderAndUnusedOnesGo) {
  torch::jit::Module root("__torch__.test.Root");
  for (const char* name : {"zeta", "unused", "alpha", "mid"})
    root.register_module(name, layer_with(std::string(name) + "_class", at::randn({3})));
  root.define("def forward(self, x):\n    return x * self.alpha.weight + self.mid.weight - self.zeta.weight\n");
  torch::jit::Module module = reloaded(root);
  EXPECT_EQ(children_of(module), (Names{"zeta", "alpha", "mid"}));
  EXPECT_EQ(names_of(module.named_parameters()), (Names{"zeta.weight", "alpha.weight", "mid.weight"}));
  EXPECT_EQ(module.attr("alpha").toModule().type()->name()->name(), "alpha_class");
  const at::Tensor input = at::randn({3});
  EXPECT_TRUE(at::equal(output_of(module, input), output_of(root, input)));
}

TEST(Rebuild, LargeWholeFloatsStayFloats) {
  torch::jit::Module root("__torch__.test.Root");
  root.register_attribute("million", c10::FloatType::get(), 1e6);
  root.define(  // what is computed of numbers becomes a constant
      "def forward(self, x):\n"
      "    a = self.million * self.million\n"
      "    return torch.layer_norm(x, [3], None, None, a) * (-3.0 * a) + torch.hardtanh(x, -a, a * 1e5)\n");
  torch::jit::Module module = reloaded(root);
  const at::Tensor x = at::randn({2, 3});
  EXPECT_TRUE(at::equal(output_of(module, x), output_of(root, x)));
}

TEST(Rebuild, ParametersBuffersAndPlainTensorsStayWhatTheyAre) {
  torch::jit::Module root("__torch__.test.Root");
  root.register_parameter("parameter", at::randn({2}).requires_grad_(true), /*is_buffer=*/false);
  root.register_parameter("frozen", at::randn({2}), /*is_buffer=*/false);
  root.register_buffer("buffer", at::randn({2}));
  root.register_attribute("plain", c10::TensorType::get(), at::randn({2}));
  root.define("def forward(self, x):\n    return x + self.parameter + self.frozen + self.buffer + self.plain\n");
  const torch::jit::Module module = reloaded(root);
  EXPECT_EQ(names_of(module.named_parameters()), (Names{"parameter", "frozen"}));
  EXPECT_EQ(names_of(module.named_buffers()), (Names{"buffer"}));
  EXPECT_TRUE(at::equal(module.attr("plain").toTensor(), root.attr("plain").toTensor()));
  EXPECT_TRUE(module.attr("parameter").toTensor().requires_grad());
  EXPECT_FALSE(module.attr("frozen").toTensor().requires_grad());
}

TEST(Rebuild, AModuleUnderTwoNamesStaysOne) {
  const torch::jit::Module shared = layer_with("Shared", at::randn({3}));
  torch::jit::Module root("__torch__.test.Root");
  root.register_module("first", shared);
  root.register_module("second", shared);
  root.define("def forward(self, x):\n    return x * self.first.weight + self.second.weight\n");
  torch::jit::Module module = reloaded(root);
  EXPECT_EQ(children_of(module), (Names{"first", "second"}));
  EXPECT_EQ(module.attr("first").toModule()._ivalue(), module.attr("second").toModule()._ivalue());
  const at::Tensor input = at::randn({3});
  EXPECT_TRUE(at::equal(output_of(module, input), output_of(root, input)));
}

TEST(Rebuild, TiedWeightsStayTiedUnderBothNames) {
  const at::Tensor weight = at::randn({3});
  torch::jit::Module root("__torch__.test.Root");
  root.register_module("encoder", layer_with("Encoder", weight));
  root.register_module("decoder", layer_with("Decoder", weight));
  root.define("def forward(self, x):\n    return x * self.encoder.weight + self.decoder.weight\n");
  const torch::jit::Module module = reloaded(root);
  const at::Tensor encoder = module.attr("encoder").toModule().attr("weight").toTensor();
  const at::Tensor decoder = module.attr("decoder").toModule().attr("weight").toTensor();
  EXPECT_EQ(encoder.data_ptr(), decoder.data_ptr());
  EXPECT_TRUE(at::equal(encoder, weight));
}

TEST(Rebuild, ViewsOfOneStorageStayViews) {
  const at::Tensor both = at::randn({2, 3});
  torch::jit::Module root("__torch__.test.Root");
  root.register_buffer("top", both[0]);
  root.register_buffer("bottom", both[1]);
  root.define("def forward(self, x):\n    return x * self.top + self.bottom\n");
  const torch::jit::Module module = reloaded(root);
  const at::Tensor top = module.attr("top").toTensor();
  const at::Tensor bottom = module.attr("bottom").toTensor();
  EXPECT_TRUE(top.is_alias_of(bottom));
  EXPECT_EQ(bottom.storage_offset(), 3);
  EXPECT_TRUE(at::equal(top, both[0]) && at::equal(bottom, both[1]));
}

TEST(Rebuild, StateThatForwardWritesStaysState) {
  torch::jit::Module root("__torch__.test.Root");
  root.register_buffer("count", at::zeros({1}));
  root.register_attribute("calls", c10::IntType::get(), 0);
  root.define(
      "def forward(self, x):\n"
      "    self.count.add_(1)\n"
      "    self.calls = self.calls + 2\n"
      "    return x + self.count\n");
  torch::jit::Module module = reloaded(root);
  const at::Tensor input = at::zeros({1});
  for (int call = 1; call <= 3; ++call) EXPECT_EQ(output_of(module, input).item<float>(), static_cast<float>(call));
  EXPECT_EQ(module.attr("calls").toInt(), 6);
}

TEST(Rebuild, SettingsThatNoGraphReadsStay) {
  torch::jit::Module root("__torch__.test.Root");
  root.register_attribute("version", c10::StringType::get(), std::string("1.2"));
  root.register_buffer("never_read", at::ones({2}));
  root.define("def forward(self, x):\n    return x + 1\n");
  const torch::jit::Module module = reloaded(root);
  EXPECT_EQ(module.attr("version").toStringRef(), "1.2");
  EXPECT_TRUE(module.hasattr("never_read"));
}

TEST(Rebuild, TheProgramStaysAsItWas) {
  const test::TemporaryFolder folder;
  torch::jit::Module root("__torch__.test.Root");
  root.register_module("one", layer_with("One", at::randn({3})));
  root.define("def forward(self, x):\n    return x * self.one.weight\n");
  test::save_module(root, folder / "model.pt");
  const Model model = read(folder / "model.pt");
  const auto text = [&] { return ModelParts::of(model).program.methods.at(0).graph->toString(); };
  const std::string before = text();
  torch::jit::Module first = model.to_module();
  EXPECT_EQ(text(), before);
  torch::jit::Module second = model.to_module();
  const at::Tensor input = at::randn({3});
  EXPECT_TRUE(at::equal(output_of(first, input), output_of(root, input)));
  EXPECT_TRUE(at::equal(output_of(second, input), output_of(root, input)));
  EXPECT_NE(first.type(), second.type());
}

TEST(Rebuild, EveryValueHasANameThatSaysWhereItIsComputed) {
  // Two modules with a local of one name: the written code tells them apart by their paths.
  torch::jit::Module root("__torch__.test.Root");
  for (const char* name : {"a", "b"}) {
    torch::jit::Module child = layer_with("Child", at::randn({3}));
    child.define("def forward(self, x):\n    y = x * self.weight\n    return y + y\n");
    root.register_module(name, child);
  }
  root.define("def forward(self, x):\n    return self.b.forward(self.a.forward(x))\n");
  torch::jit::Module module = rebuilt(root);
  std::set<std::string> names;
  for (const auto* node : module.get_method("forward").graph()->nodes())
    for (const auto* output : node->outputs()) {
      if (!output->hasDebugName()) continue;
      EXPECT_TRUE(names.insert(output->debugNameBase()).second) << output->debugName();
    }
  for (const char* name : {"a_y", "b_y", "a_weight", "b_weight"}) EXPECT_EQ(names.count(name), 1U) << name;
}

}  // namespace
}  // namespace fusekit
