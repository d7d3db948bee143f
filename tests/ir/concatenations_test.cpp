// What an earlier cat put together is not put together again.
#include "ir/concatenations.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>

#include "fusekit/model.h"
#include "ir/constants.h"
#include "ir/model_parts.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

class Concatenations : public testing::Test {
 protected:
  /// The lengths of the lists that cats take, in order, after the rewrite. `body`: of forward.
  static std::vector<std::size_t> lengths(const std::string& body) {
    const test::TemporaryFolder folder;
    test::save_module(test::make_module("Net", {{"buffer", at::zeros({3, 4})}}, "def forward(self, x, y, z):\n" + body),
                      folder / "net.pt");
    Model model = read(folder / "net.pt");
    const ir::Program& program = ModelParts::of(model).program;
    return lengths(*program.methods.front().graph, program);
  }

  static std::vector<std::size_t> lengths(ir::Graph& graph, const ir::Program& program) {
    ir::reuse_concatenations(graph, program);
    graph.lint();
    std::vector<std::size_t> lengths;
    for (const ir::Node* node : ir::all_nodes(graph))
      if (ir::is_operator(node, {"aten::cat", "quantized::cat"}))
        lengths.push_back(node->input(0)->node()->inputs().size());
    return lengths;
  }

  using Lengths = std::vector<std::size_t>;
};

TEST_F(Concatenations, AListThatGrowsIsPutTogetherOnce) {
  EXPECT_EQ(lengths("    a = torch.cat([x, y], 0)\n    b = torch.cat([x, y, z], 0)\n"
                    "    c = torch.cat([x, y, z, y], 0)\n    return a.sum() + b.sum() + c.sum()\n"),
            (Lengths{2, 2, 2}));
}

TEST_F(Concatenations, ARunInTheMiddleCounts) {
  EXPECT_EQ(lengths("    a = torch.cat([x, y], 0)\n    b = torch.cat([z, x, y, z], 0)\n    return a.sum() + b.sum()\n"),
            (Lengths{2, 3}));
  EXPECT_EQ(lengths("    a = torch.cat([x, y], 0)\n    b = torch.cat([y, x, z], 0)\n    return a.sum() + b.sum()\n"),
            (Lengths{2, 3}));
}

TEST_F(Concatenations, AnotherDimensionIsAnother) {
  EXPECT_EQ(lengths("    a = torch.cat([x, y], 1)\n    b = torch.cat([x, y, z], 0)\n    return a.sum() + b.sum()\n"),
            (Lengths{2, 3}));
}

TEST_F(Concatenations, LevelsOfAnotherScaleAreOthers) {
  const auto with_scale = [](const std::string& scale) {
    return "graph(%x : Tensor, %y : Tensor):\n  %dim : int = prim::Constant[value=0]()\n"
           "  %first : float = prim::Constant[value=0.1]()\n  %second : float = prim::Constant[value=" +
           scale +
           "]()\n"
           "  %zero : int = prim::Constant[value=128]()\n  %l : Tensor[] = prim::ListConstruct(%x, %y)\n"
           "  %a : Tensor = quantized::cat(%l, %dim, %first, %zero)\n"
           "  %m : Tensor[] = prim::ListConstruct(%x, %y, %x)\n"
           "  %b : Tensor = quantized::cat(%m, %dim, %second, %zero)\n  return (%a, %b)";
  };
  for (const auto& [scale, expected] : {std::pair{"0.1", Lengths{2, 2}}, {"0.2", Lengths{2, 3}}}) {
    ir::Graph graph;
    torch::jit::parseIR(with_scale(scale), &graph);
    EXPECT_EQ(lengths(graph, ir::Program()), expected);
  }
}

TEST_F(Concatenations, WhatIsWrittenLaterIsReadAnew) {
  EXPECT_EQ(lengths("    a = torch.cat([x, y], 0)\n    a[0] = 1\n    b = torch.cat([x, y, z], 0)\n"
                    "    return a.sum() + b.sum()\n"),
            (Lengths{2, 3}));
  EXPECT_EQ(lengths("    t = self.buffer\n    a = torch.cat([x, t], 0)\n    t.add_(1)\n"
                    "    b = torch.cat([x, t, z], 0)\n    return a.sum() + b.sum()\n"),
            (Lengths{2, 3}));
}

TEST_F(Concatenations, ABranchThatMayNotRunGivesNothing) {
  EXPECT_EQ(lengths("    s = x.sum()\n    if bool(s > 0):\n        s = torch.cat([x, y], 0).sum()\n"
                    "    return s + torch.cat([x, y, z], 0).sum()\n"),
            (Lengths{2, 3}));
}

}  // namespace
}  // namespace fusekit
