// Between the rooms graphs are functional; the written file works in place where it did, and at the end of groups.
#include "ir/functional.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>
#include <torch/csrc/jit/testing/file_check.h>

#include "ir/marks.h"
#include "ir/program.h"

namespace fusekit::ir {
namespace {

using torch::jit::testing::FileCheck;

std::shared_ptr<Graph> graph_of(const std::string& body) {
  auto graph = std::make_shared<Graph>();
  torch::jit::parseIR(
      "graph(%x : Tensor, %w : Tensor, %m : Tensor):\n  %one : int = prim::Constant[value=1]()\n" + body, graph.get());
  return graph;
}

std::string text(const std::shared_ptr<Graph>& graph) {
  const auto plain = graph->copy();
  remove_operator_marks(*plain);
  return plain->toString(false);
}

TEST(Functional, WhatWasInPlaceIsSoAgainInTheEnd) {
  const auto graph = graph_of(R"(  %y : Tensor = aten::mm(%x, %w)
  %r : Tensor = aten::relu_(%y)
  %a : Tensor = aten::add_(%y, %m, %one)
  return (%y))");
  make_functional(*graph);
  graph->lint();
  FileCheck().check("aten::mm")->check("aten::relu(")->check("aten::add(")->check_not("relu_")->run(text(graph));
  const auto copy = graph->copy();
  make_in_place(*copy);
  copy->lint();
  FileCheck().check("aten::mm")->check("aten::relu_(")->check("aten::add_(")->run(text(copy));
}

TEST(Functional, WhatOthersSeeStaysInPlace) {
  for (const char* body : {
           "  %r : Tensor = aten::relu_(%x)\n  return (%r)",  // the caller's
           "  %y : Tensor = aten::mm(%x, %w)\n  %v : Tensor = aten::t(%y)\n  %r : Tensor = aten::relu_(%y)\n"
           "  return (%v)",  // a view
       }) {
    const auto graph = graph_of(body);
    make_functional(*graph);
    FileCheck().check("aten::relu_(")->run(text(graph));
  }
}

/// What a scripted InstanceNorm is, which also takes data without a batch.
const char* const kBranches = R"(  %two : int = prim::Constant[value=2]()
  %zero : int = prim::Constant[value=0]()
  %rank : int = aten::dim(%x)
  %flat : bool = aten::eq(%rank, %two)
  %y : Tensor = prim::If(%flat)
    block0():
      %u : Tensor = aten::unsqueeze(%x, %zero)
      %p : Tensor = aten::matmul(%u, %w)
      %s : Tensor = aten::squeeze(%p, %zero)
      -> (%s)
    block1():
      %q : Tensor = aten::matmul(%x, %w)
      -> (BRANCH)
  %r : Tensor = aten::relu_(%y)
  return (%r))";

std::string with_branch(const std::string& value) {
  std::string body = kBranches;
  return body.replace(body.find("BRANCH"), 6, value);
}

TEST(Functional, WhatBothBranchesMakeIsNobodyElses) {
  const auto graph = graph_of(with_branch("%q"));
  make_functional(*graph);
  graph->lint();
  FileCheck().check("prim::If")->check("aten::relu(")->check_not("relu_")->run(text(graph));
  make_in_place(*graph);
  FileCheck().check("aten::relu_(")->run(text(graph));
}

TEST(Functional, WhatABranchPassesOnIsSeenByOthers) {
  for (const char* value : {"%x", "%m"}) {  // of the caller; block0's squeeze is of memory of its own
    const auto graph = graph_of(with_branch(value));
    make_functional(*graph);
    FileCheck().check("aten::relu_(")->run(text(graph));
  }
  std::string kept = with_branch("%q");  // a view of what block0 returns is kept
  kept.replace(kept.find("-> (%s)"), 7, "%k : Tensor[] = prim::ListConstruct(%p)\n      -> (%s)");
  const auto graph = graph_of(kept);
  make_functional(*graph);
  FileCheck().check("aten::relu_(")->run(text(graph));
}

TEST(Functional, NothingWorksInPlaceThatDidNot) {
  const auto graph = graph_of("  %y : Tensor = aten::mm(%x, %w)\n  %r : Tensor = aten::relu(%y)\n  return (%r)");
  make_in_place(*graph);
  FileCheck().check("aten::relu(")->run(text(graph));
}

TEST(Functional, TheActivationOfAGroupWorksInPlaceUnlessItsInputIsStillNeeded) {
  const auto graph = graph_of(R"(  %y : Tensor = aten::mm(%x, %w)
  %r : Tensor = aten::relu(%y)
  %z : Tensor = aten::mm(%r, %w)
  %s : Tensor = aten::relu(%z)
  %t : Tensor = aten::add(%s, %z, %one)
  %u : Tensor = aten::mm(%t, %w)
  %h : Tensor = aten::sigmoid(%u)
  return (%h))");
  std::int64_t number = 0;
  for (Node* node : all_nodes(*graph))
    if (node->kind() == c10::aten::relu || node->kind() == c10::aten::sigmoid) set_group(node, number++);
  make_in_place(*graph);
  graph->lint();
  for (Node* node : all_nodes(*graph))
    if (node->kind() == c10::aten::relu_) {
      EXPECT_EQ(group_of(node), 0);
    }
  // The second ReLU's input is read again; a sigmoid of integers would need another dtype.
  FileCheck().check("aten::relu_(")->check("aten::relu(")->check("aten::sigmoid(")->run(text(graph));
}

TEST(Functional, AViewIsNoMemoryOfItsOwn) {
  const auto graph = graph_of("  %y : Tensor = aten::t(%x)\n  %r : Tensor = aten::relu(%y)\n  return (%r)");
  for (Node* node : all_nodes(*graph))
    if (node->kind() == c10::aten::relu) set_group(node, 0);
  make_in_place(*graph);
  FileCheck().check("aten::relu(")->run(text(graph));
}

TEST(Functional, AnOlderViewKeepsAnActivationFromIt) {
  const auto graph = graph_of(R"(  %y : Tensor = aten::mm(%x, %w)
  %v : Tensor = aten::t(%y)
  %r : Tensor = aten::relu(%y)
  return (%r, %v))");
  for (Node* node : all_nodes(*graph))
    if (node->kind() == c10::aten::relu) set_group(node, 0);
  make_in_place(*graph);
  FileCheck().check("aten::relu(")->run(text(graph));
}

TEST(Functional, DropoutThatIsOffIsNoMemoryOfItsOwn) {
  const auto graph = graph_of(R"(  %half : float = prim::Constant[value=0.5]()
  %off : bool = prim::Constant[value=0]()
  %d : Tensor = aten::dropout(%x, %half, %off)
  %r : Tensor = aten::relu(%d)
  return (%r))");
  for (Node* node : all_nodes(*graph))
    if (node->kind() == c10::aten::relu) set_group(node, 0);
  make_in_place(*graph);
  FileCheck().check("aten::relu(")->run(text(graph));
}

TEST(Functional, WhatABranchWritesStaysInPlace) {
  const auto graph = graph_of(R"(  %y : Tensor = aten::mm(%x, %w)
  %c : bool = aten::Bool(%m)
  %b : Tensor = prim::If(%c)
    block0():
      %r : Tensor = aten::relu_(%y)
      -> (%r)
    block1():
      -> (%y)
  return (%b, %y))");
  make_functional(*graph);
  FileCheck().check("aten::relu_(")->run(text(graph));
}

TEST(Functional, WhatOnlyOneBranchWritesStaysInPlace) {
  const auto graph = graph_of(R"(  %y : Tensor = aten::mm(%x, %w)
  %c : bool = aten::Bool(%m)
  prim::If(%c)
    block0():
      %r : Tensor = aten::relu_(%y)
      -> ()
    block1():
      -> ()
  return (%y))");
  make_functional(*graph);
  FileCheck().check("aten::relu_(")->run(text(graph));
}

TEST(Functional, AReaderOfTheShapeDoesNotKeepAnActivationFromIt) {
  const auto graph = graph_of(R"(  %y : Tensor = aten::mm(%x, %w)
  %r : Tensor = aten::relu(%y)
  %n : int = aten::size(%y, %one)
  return (%r, %n))");
  for (Node* node : all_nodes(*graph))
    if (node->kind() == c10::aten::relu) set_group(node, 0);
  make_in_place(*graph);
  FileCheck().check("aten::relu_(")->run(text(graph));
}

TEST(Marks, GroupsSurviveCopies) {
  Program program;
  program.methods.push_back({"forward",
                             graph_of("  %y : Tensor = aten::mm(%x, %w)\n  %r : Tensor = aten::relu(%y)\n"
                                      "  return (%r)"),
                             c10::FunctionSchema("forward", "", {}, {})});
  program.groups[7] = {"conv+relu", "forward"};
  for (Node* node : all_nodes(*program.methods[0].graph))
    if (node->kind().is_aten()) set_group(node, 7);
  const Program copy = copy_of(program);
  program.methods.clear();
  const std::vector<Node*> nodes = nodes_of_group(copy, 7);
  ASSERT_EQ(nodes.size(), 2U);
  EXPECT_EQ(nodes[0]->kind(), c10::aten::mm);
  EXPECT_EQ(nodes[1]->kind(), c10::aten::relu);
  EXPECT_TRUE(nodes_of_group(copy, 8).empty());
}

}  // namespace
}  // namespace fusekit::ir
