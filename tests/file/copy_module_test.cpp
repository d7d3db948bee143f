#include "file/copy_module.h"

#include <gtest/gtest.h>

#include "file/original.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit::file {
namespace {

const char* const kCounts =
    "def forward(self, x):\n"
    "    self.sub.count += 1\n"
    "    return x + self.sub.count + self.sub.view + self.weight\n";

torch::jit::Module counter() {
  const at::Tensor memory = at::zeros({2, 3});
  torch::jit::Module module =
      test::make_module("Net", {{"sub.count", memory[0]}, {"sub.view", memory}, {"weight", at::ones({3})}}, kCounts);
  module.attr("weight").toTensor().requires_grad_(true);
  return module;
}

bool shares_nothing(const std::string&, const c10::IValue&) { return false; }

at::Tensor tensor_at(const torch::jit::Module& module, const char* name) {
  return module.attr("sub").toModule().attr(name).toTensor();
}

TEST(CopyModule, WhatTheCopyWritesTheOriginalDoesNotSee) {
  const torch::NoGradGuard no_grad;
  const torch::jit::Module module = counter();
  auto copy = copy_module(module, shares_nothing);
  ASSERT_TRUE(copy);
  copy->forward({at::zeros({3})});
  EXPECT_EQ(tensor_at(module, "count").sum().item<double>(), 0);
  EXPECT_EQ(tensor_at(*copy, "count").sum().item<double>(), 3);
}

TEST(CopyModule, ViewsOfOneStorageStayThat) {
  const torch::NoGradGuard no_grad;
  auto copy = copy_module(counter(), shares_nothing);
  ASSERT_TRUE(copy);
  copy->forward({at::zeros({3})});
  EXPECT_EQ(tensor_at(*copy, "view").sum().item<double>(), 3) << "it is seen through the other name";
}

TEST(CopyModule, KeepsGradientsAndStrides) {
  torch::jit::Module module = counter();
  module.setattr("weight", at::rand({4, 3}).t().requires_grad_(true));
  const auto copy = copy_module(module, shares_nothing);
  ASSERT_TRUE(copy);
  const at::Tensor weight = copy->attr("weight").toTensor();
  EXPECT_TRUE(weight.requires_grad());
  EXPECT_EQ(weight.strides(), module.attr("weight").toTensor().strides());
  EXPECT_TRUE(weight.equal(module.attr("weight").toTensor()));
}

TEST(CopyModule, SharesWhatItIsToldTo) {
  const torch::jit::Module module = counter();
  const auto copy = copy_module(module, [](const std::string& path, const c10::IValue&) { return path == "weight"; });
  ASSERT_TRUE(copy);
  EXPECT_TRUE(copy->attr("weight").toTensor().is_same(module.attr("weight").toTensor()));
  EXPECT_FALSE(tensor_at(*copy, "count").is_same(tensor_at(module, "count")));
}

TEST(CopyModule, ContainersAreCopiedWithWhatIsInThem) {
  const torch::NoGradGuard no_grad;
  torch::jit::Module module = counter();
  const at::Tensor memory = module.attr("weight").toTensor();
  c10::Dict<std::string, at::Tensor> dict;
  dict.insert("a", memory.detach());
  module.register_attribute("dict", c10::DictType::create(c10::StringType::get(), c10::TensorType::get()), dict);
  const c10::List<at::Tensor> list({at::zeros({1}), memory.detach()});
  module.register_attribute("list", c10::ListType::ofTensors(), list);
  module.register_attribute("same_list", c10::ListType::ofTensors(), list);
  const auto copy = copy_module(module, shares_nothing);
  ASSERT_TRUE(copy);
  copy->attr("list").toTensorList().get(1).add_(1);
  EXPECT_EQ(memory.sum().item<double>(), 3);
  EXPECT_EQ(copy->attr("weight").toTensor().sum().item<double>(), 6) << "it shares a storage with the list's tensor";
  EXPECT_EQ(copy->attr("dict").toGenericDict().at("a").toTensor().sum().item<double>(), 6);
  EXPECT_TRUE(copy->attr("list").is(copy->attr("same_list")));
  EXPECT_FALSE(copy->attr("list").is(module.attr("list")));
}

TEST(CopyModule, AModuleThatPacksItsStateIsCopiedAsItStands) {
  torch::jit::Module module("__torch__.test.Packed");
  module.register_attribute("count", c10::TensorType::get(), at::zeros({1}));
  module.define(
      "def __getstate__(self):\n    return 1\n"
      "def __setstate__(self, state: int):\n    self.count = torch.ones([1])\n"
      "def forward(self, x):\n    return x\n");
  const auto copy = copy_module(module, shares_nothing);
  ASSERT_TRUE(copy);
  copy->attr("count").toTensor().add_(2);
  EXPECT_EQ(module.attr("count").toTensor().item<double>(), 0);
}

TEST(CopyModule, OnlyWhatIsWrittenIsCopied) {
  const torch::jit::Module module = counter();
  const auto copy = copy_with_own_state(module, {"sub.count", "sub.view"});
  EXPECT_TRUE(copy.attr("weight").toTensor().is_same(module.attr("weight").toTensor()));
  EXPECT_FALSE(tensor_at(copy, "count").is_same(tensor_at(module, "count")));
}

TEST(CopyModule, HasNoCopyOfWhatCannotBeCopied) {
  torch::jit::Module module =
      test::make_module("Net", {{"scaled", at::quantize_per_tensor(at::ones({2}), 0.1, 0, at::kQUInt8)}},
                        "def forward(self, x):\n    return x\n");
  EXPECT_FALSE(copy_module(module, shares_nothing));
  EXPECT_TRUE(copy_module(module, [](const std::string&, const c10::IValue&) { return true; }));
}

TEST(Original, IsReadAgainOnlyWhereItWasWrittenTo) {
  const torch::NoGradGuard no_grad;
  const test::TemporaryFolder folder;
  test::save_module(counter(), folder / "net.pt");
  const Original original(folder / "net.pt");
  std::filesystem::rename(folder / "net.pt", folder / "away.pt");
  original.fresh().forward({at::zeros({3})});
  EXPECT_EQ(tensor_at(original.fresh(), "count").sum().item<double>(), 0);
  tensor_at(original.module(), "count").add_(1);  // a fault of ours
  EXPECT_ANY_THROW(original.fresh());
  std::filesystem::rename(folder / "away.pt", folder / "net.pt");
  EXPECT_EQ(tensor_at(original.fresh(), "count").sum().item<double>(), 0);
}

}  // namespace
}  // namespace fusekit::file
