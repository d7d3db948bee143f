#include "fusekit/inspect.h"

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/version.h>

#include "fusekit/error.h"
#include "fusekit/example.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

std::size_t count_of(const FileInfo& info, const std::string& name) {
  for (const OperatorCount& op : info.operators)
    if (op.name == name) return op.count;
  return 0;
}

class Inspect : public ::testing::Test {
 protected:
  FileInfo inspect_saved(const torch::jit::Module& module, const torch::jit::ExtraFilesMap& extra = {}) {
    module.save((folder_ / "model.pt").string(), extra);
    return inspect(folder_ / "model.pt");
  }

  test::TemporaryFolder folder_;
};

TEST_F(Inspect, CountsTensorsOnceAndInBytes) {
  const at::Tensor shared = torch::ones({3, 2});
  auto module = test::make_module("Net",
                                  {{"a.weight", shared},
                                   {"b.weight", shared},
                                   {"c.weight", torch::ones({5}, at::kDouble)},
                                   {"c.running_mean", torch::ones({7}, at::kHalf)}},
                                  "def forward(self, x):\n    return x + self.a.weight\n");
  const FileInfo info = inspect_saved(module);
  EXPECT_EQ(info.parameters.tensors, 2U);
  EXPECT_EQ(info.parameters.elements, 11);
  EXPECT_EQ(info.parameters.bytes, 6 * 4 + 5 * 8);
  EXPECT_EQ(info.buffers.tensors, 1U);
  EXPECT_EQ(info.buffers.bytes, 14);
  EXPECT_EQ(info.file_bytes, std::filesystem::file_size(folder_ / "model.pt"));
  EXPECT_GE(info.format_version, 3U);
  EXPECT_FALSE(info.has_mobile_bytecode);
}

TEST_F(Inspect, CountsOperatorsThroughCallsAndBlocks) {
  auto module = test::make_module("Net", {{"weight", torch::ones({2})}},
                                  "def helper(self, x):\n    return torch.relu(x)\n"
                                  "def forward(self, x, n: int = 2):\n"
                                  "    if n > 1:\n"
                                  "        x = self.helper(x)\n"
                                  "    return self.helper(x) * self.weight\n");
  const FileInfo info = inspect_saved(module);
  EXPECT_EQ(count_of(info, "aten::relu"), 3U);  // two in forward, one in helper
  EXPECT_EQ(count_of(info, "aten::mul"), 1U);
  EXPECT_EQ(info.operators.front().name, "aten::relu");
}

TEST_F(Inspect, GivesSignaturesWithForwardFirst) {
  auto module = test::make_module("Net", {{"weight", torch::ones({2})}},
                                  "def another(self, x) -> int:\n    return 3\n"
                                  "def forward(self, x, n: Optional[int] = None):\n    return x, self.weight\n");
  const FileInfo info = inspect_saved(module);
  ASSERT_EQ(info.methods.size(), 2U);
  EXPECT_EQ(info.methods[0].signature, "forward(x: Tensor, n: Optional[int]) -> Tuple[Tensor, Tensor]");
  EXPECT_EQ(info.methods[1].signature, "another(x: Tensor) -> int");
}

TEST_F(Inspect, ListsExtraFiles) {
  auto module = test::make_module("Net", {}, "def forward(self, x):\n    return x\n");
  EXPECT_EQ(inspect_saved(module, {{"labels.txt", "cat"}, {"about", "x"}}).extra_files,
            (std::vector<std::string>{"about", "labels.txt"}));
}

TEST_F(Inspect, RunsNothing) {
  auto module = test::make_module("Net", {}, "def forward(self, x):\n    assert False\n    return x\n");
  EXPECT_NO_THROW(inspect_saved(module));
}

TEST_F(Inspect, RefusesAMissingFile) {
  try {
    inspect(folder_ / "none.pt");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file);
    EXPECT_NE(error.message().find("none.pt"), std::string::npos);
  }
}

// Multiply-adds: counted by shapes alone

MultiplyAdds work_of(const std::string& body, const std::map<std::string, at::Tensor>& tensors,
                     const InputOptions& inputs) {
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", tensors, "def forward(self, x):\n" + body), folder / "net.pt");
  return inspect(folder / "net.pt", inputs).multiply_adds.value();
}

InputOptions shape(std::vector<std::int64_t> sizes) {
  InputOptions inputs;
  inputs.dims = {std::move(sizes)};
  return inputs;
}

TEST(MultiplyAdds, AreThoseOfLayersForTheGivenShapes) {
  const std::map<std::string, at::Tensor> tensors{{"conv.weight", at::ones({5, 3, 3, 3})},
                                                  {"fc.weight", at::ones({7, 320})}};
  const char* body =
      "    x = torch.max_pool2d(torch.relu(torch.conv2d(x, self.conv.weight)), 1)\n"
      "    return torch.linear(x.view(x.size(0), -1), self.fc.weight)\n";
  const MultiplyAdds work = work_of(body, tensors, shape({2, 3, 10, 10}));
  EXPECT_EQ(work.count, 2 * (5 * 3 * 9 * 64 + 7 * 320));
  EXPECT_EQ(work.unknown, 0U);
  EXPECT_EQ(work.inputs, "2x3x10x10 float");
  const test::TemporaryFolder folder;
  write_example("resnet18", 0, folder / "net.pt");
  EXPECT_EQ(inspect(folder / "net.pt", shape({1, 3, 224, 224})).multiply_adds->count, 1814073344);
  EXPECT_FALSE(inspect(folder / "net.pt").multiply_adds);
}

TEST(MultiplyAdds, AreThoseOfProductsAndAttentionToo) {
#if TORCH_VERSION_MAJOR < 2
  GTEST_SKIP() << "this LibTorch has no scaled_dot_product_attention";
#endif
  const MultiplyAdds work = work_of(
      "    q, k, v = x.chunk(3, -1)\n"
      "    y = torch.scaled_dot_product_attention(q, k, v)\n"
      "    return torch.matmul(y.transpose(1, 2), y), torch.einsum(\"bij,bkj->bik\", [y, y])\n",
      {}, shape({2, 5, 12}));
  EXPECT_EQ(work.count, 2 * 5 * 5 * (4 + 4) + 2 * 4 * 5 * 4 + 2 * 5 * 4 * 5);
  EXPECT_EQ(work.unknown, 0U);
}

TEST(MultiplyAdds, OfBranchesAndLoopsThatShapesDecide) {
  const std::map<std::string, at::Tensor> tensors{{"weight", at::ones({4, 4})}};
  const std::string linear = "torch.linear(x, self.weight)\n";
  const auto count = [&](const std::string& body) { return work_of(body, tensors, shape({3, 4})); };
  EXPECT_EQ(count("    for i in range(x.size(0)):\n        x = " + linear + "    return x\n").count, 3 * 48);
  EXPECT_EQ(count("    if x.size(0) > 2:\n        x = " + linear + "    return x\n").count, 48);
  EXPECT_EQ(count("    if x.size(0) > 3:\n        x = " + linear + "    return x\n").count, 0);
  const MultiplyAdds by_data = count("    if bool(x.sum() > 2):\n        x = " + linear + "    return " + linear);
  EXPECT_EQ(by_data.unknown, 2U) << "in the branch, and behind it";
  EXPECT_EQ(by_data.count, 0);
  EXPECT_EQ(count("    y = " + linear + "    return torch.linear(y[y > 0].view(-1, 4), self.weight)\n").unknown, 1U);
  EXPECT_EQ(count("    while x.numel() > 0:\n        x = " + linear + "    return x\n").unknown, 1U) << "no end";
}

TEST(MultiplyAdds, NothingIsRunForThem) {
  const std::map<std::string, at::Tensor> tensors{{"weight", at::ones({5, 3, 3, 3})}};
  const MultiplyAdds huge = work_of("    x = torch.conv2d(x, self.weight)\n    return x + torch.ones(x.size())\n",
                                    tensors, shape({1, 3, 20002, 20002}));
  EXPECT_EQ(huge.count, 135.0 * 20000 * 20000);
  testing::internal::CaptureStdout();
  EXPECT_EQ(
      work_of("    print(\"run\")\n    return torch.conv2d(x, self.weight)\n", tensors, shape({1, 3, 3, 3})).count,
      135);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  InputOptions typed;
  typed.types = {"float"};
  EXPECT_THROW(work_of("    return x\n", {}, typed), Error);
}

}  // namespace
}  // namespace fusekit
