#include "ir/aliases.h"

#include <gtest/gtest.h>

#include "fusekit/model.h"
#include "ir/model_parts.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

/// Forward of a network with the buffers `buffer_a` and `buffer_b`, which share their memory, and `buffer_c`.
class AliasesOf : public testing::Test {
 protected:
  void load(const std::string& body) {
    const test::TemporaryFolder folder;
    const at::Tensor memory = at::zeros({3});
    test::save_module(
        test::make_module("Net", {{"buffer_a", memory}, {"buffer_b", memory}, {"buffer_c", at::zeros({3})}},
                          "def forward(self, x):\n" + body),
        folder / "net.pt");
    model_.emplace(read(folder / "net.pt"));
  }

  /// Is what the first sigmoid reads written?
  bool sigmoid_reads_what_is_written() {
    const ir::Program& program = ModelParts::of(*model_).program;
    ir::Graph& graph = *program.methods.front().graph;
    const ir::Aliases aliases(graph, program);
    for (const ir::Node* node : ir::all_nodes(graph))
      if (node->kind() == c10::aten::sigmoid) return aliases.is_written(node->input(0));
    ADD_FAILURE() << "no sigmoid";
    return false;
  }

  std::optional<Model> model_;
};

TEST_F(AliasesOf, AnInputIsNoAttribute) {
  load("    self.buffer_c.copy_(x.sum(0))\n    return torch.sigmoid(x)\n");
  EXPECT_FALSE(sigmoid_reads_what_is_written());
}

TEST_F(AliasesOf, AnInputMayBeAnAttributeThatWasGivenOut) {
  load("    self.buffer_c.add_(1)\n    return (torch.sigmoid(x), self.buffer_c)\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
  load("    self.buffer_c.add_(1)\n    return {\"a\": torch.sigmoid(x), \"b\": self.buffer_c[0]}\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
  load("    self.buffer_c.add_(1)\n    return (torch.sigmoid(x), self.buffer_c.clone())\n");
  EXPECT_FALSE(sigmoid_reads_what_is_written());
}

TEST_F(AliasesOf, AnInputThatIsWrittenIsWritten) {
  load("    y = torch.sigmoid(x)\n    x.add_(1)\n    return y\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
  load("    y = torch.sigmoid(x)\n    x[0].t().add_(1)\n    return y\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
  load("    v = x[0]\n    y = torch.sigmoid(v)\n    x.add_(1)\n    return y\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
}

TEST_F(AliasesOf, AnInputIsWrittenThroughItsViews) {
  load("    v = x[0]\n    y = torch.sigmoid(x)\n    v.add_(1)\n    return y\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
  load("    y = torch.sigmoid(x)\n    v = x.view([-1])\n    v[0:1].zero_()\n    return y\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
}

TEST_F(AliasesOf, AnAttributeIsWrittenThroughAnyReadOfIt) {
  load("    a = self.buffer_c\n    self.buffer_c.add_(1)\n    return torch.sigmoid(a) + x\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
}

TEST_F(AliasesOf, AnAttributeIsWrittenThroughItsOtherName) {
  load("    a = self.buffer_a\n    self.buffer_b.add_(1)\n    return torch.sigmoid(a) + x\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
  load("    a = self.buffer_a\n    self.buffer_c.add_(1)\n    return torch.sigmoid(a) + x + self.buffer_b.add_(0)\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
}

TEST_F(AliasesOf, WhatIsAssignedIsWrittenWithTheAttribute) {
  load("    y = x + 1\n    self.buffer_c = y\n    z = torch.sigmoid(y)\n    self.buffer_c.add_(1)\n    return z\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
  load("    y = x + 1\n    self.buffer_c = y\n    z = torch.sigmoid(y)\n    self.buffer_a.add_(1)\n    return z\n");
  EXPECT_FALSE(sigmoid_reads_what_is_written());
}

TEST_F(AliasesOf, AnAugmentedAssignmentWritesItsAttributeAlone) {
  load("    self.buffer_c += 1\n    return (torch.sigmoid(x), self.buffer_c.clone())\n");
  EXPECT_FALSE(sigmoid_reads_what_is_written());
}

TEST_F(AliasesOf, RunningStatisticsAreWrittenWithoutASign) {
  load(
      "    m = self.buffer_c\n"
      "    y = torch.batch_norm(x, None, None, self.buffer_c, self.buffer_a, True, 0.1, 1e-5, True)\n"
      "    return torch.sigmoid(m) + y\n");
  EXPECT_TRUE(sigmoid_reads_what_is_written());
}

}  // namespace
}  // namespace fusekit
