#include "fusekit/inspect.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/error.h"
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

}  // namespace
}  // namespace fusekit
