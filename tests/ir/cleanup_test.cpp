#include "ir/cleanup.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>
#include <torch/csrc/jit/testing/file_check.h>

namespace fusekit {
namespace {

using torch::jit::testing::FileCheck;

std::shared_ptr<torch::jit::Graph> parse(const std::string& text) {
  auto graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR(text, graph.get());
  return graph;
}

std::string cleaned(const std::string& text) {
  const auto graph = parse(text);
  ir::propagate_constants(*graph);
  ir::remove_dead_code(*graph);
  graph->lint();
  return graph->toString(/*print_source_locations=*/false);
}

TEST(PropagateConstants, ADecidedBranchTakesItsPlace) {
  const std::string graph = cleaned(R"(graph(%x : Tensor):
  %two : int = prim::Constant[value=2]()
  %four : int = prim::Constant[value=4]()
  %square : int = aten::mul(%two, %two)
  %same : bool = aten::eq(%square, %four)
  %y : Tensor = prim::If(%same)
    block0():
      %a : Tensor = aten::relu(%x)
      -> (%a)
    block1():
      %b : Tensor = aten::sigmoid(%x)
      -> (%b)
  return (%y)
)");
  FileCheck().check_not("prim::If")->check("aten::relu")->check_not("aten::sigmoid")->run(graph);
}

TEST(PropagateConstants, BranchesThatAgreeAreOneValue) {
  const std::string graph = cleaned(R"(graph(%x : Tensor, %c : bool):
  %none : NoneType = prim::Constant()
  %n : int, %y : Tensor = prim::If(%c)
    block0():
      %a : int = prim::Constant[value=3]()
      -> (%a, %x)
    block1():
      %b : int = prim::Constant[value=3]()
      -> (%b, %x)
  %z : Tensor = aten::softmax(%y, %n, %none)
  return (%z)
)");
  FileCheck().check_not("prim::If")->check("int = prim::Constant[value=3]")->check("aten::softmax(%x")->run(graph);
}

TEST(PropagateConstants, BranchesThatDifferStayApart) {
  const std::string graph = cleaned(R"(graph(%x : Tensor, %c : bool):
  %none : NoneType = prim::Constant()
  %n : int = prim::If(%c)
    block0():
      %a : int = prim::Constant[value=3]()
      -> (%a)
    block1():
      %b : int = prim::Constant[value=2]()
      -> (%b)
  %z : Tensor = aten::softmax(%x, %n, %none)
  return (%z)
)");
  FileCheck().check("prim::If")->check("aten::softmax")->run(graph);
}

TEST(PropagateConstants, ATypeThatIsNeverNoneAnswers) {
  const std::string graph = cleaned(R"(graph(%x : Tensor):
  %none : NoneType = prim::Constant()
  %one : int = prim::Constant[value=1]()
  %list : int[] = prim::ListConstruct(%one)
  %asks : bool = aten::__is__(%list, %none)
  %y : Tensor = prim::If(%asks)
    block0():
      -> (%x)
    block1():
      %cast : int[] = prim::unchecked_cast(%list)
      %a : Tensor = aten::flip(%x, %cast)
      -> (%a)
  return (%y)
)");
  FileCheck().check_not("__is__")->check_not("prim::If")->check_not("unchecked_cast")->check("aten::flip")->run(graph);
}

TEST(PropagateConstants, AnOptionalGoesOnAsking) {
  const std::string graph = cleaned(R"(graph(%x : Tensor?):
  %none : NoneType = prim::Constant()
  %asks : bool = aten::__is__(%x, %none)
  return (%asks)
)");
  FileCheck().check("aten::__is__")->run(graph);
}

TEST(PropagateConstants, ComputesNoTensor) {
  const std::string graph = cleaned(R"(graph():
  %n : int = prim::Constant[value=10]()
  %none : NoneType = prim::Constant()
  %size : int[] = prim::ListConstruct(%n, %n)
  %zeros : Tensor = aten::zeros(%size, %none, %none, %none, %none)
  return (%zeros)
)");
  FileCheck().check("aten::zeros")->run(graph);
}

TEST(PropagateConstants, ALoopThatNeverRunsGivesWhatWentIn) {
  const std::string graph = cleaned(R"(graph(%x : Tensor):
  %zero : int = prim::Constant[value=0]()
  %true : bool = prim::Constant[value=1]()
  %y : Tensor = prim::Loop(%zero, %true, %x)
    block0(%i : int, %carried : Tensor):
      %next : Tensor = aten::relu(%carried)
      -> (%true, %next)
  return (%y)
)");
  FileCheck().check_not("prim::Loop")->check("return (%x)")->run(graph);
}

TEST(PropagateConstants, ALoopThatRunsOnceStays) {
  const std::string graph = cleaned(R"(graph(%x : Tensor):
  %one : int = prim::Constant[value=1]()
  %true : bool = prim::Constant[value=1]()
  %y : Tensor = prim::Loop(%one, %true, %x)
    block0(%i : int, %carried : Tensor):
      %next : Tensor = aten::relu(%carried)
      -> (%true, %next)
  return (%y)
)");
  FileCheck().check("prim::Loop")->check("aten::relu")->run(graph);
}

TEST(PropagateConstants, WhatALoopOnlyCarriesStaysOutside) {
  const std::string graph = cleaned(R"(graph(%x : Tensor, %n : int):
  %true : bool = prim::Constant[value=1]()
  %y : Tensor, %z : Tensor = prim::Loop(%n, %true, %x, %x)
    block0(%i : int, %changed : Tensor, %kept : Tensor):
      %next : Tensor = aten::add(%changed, %kept, %i)
      -> (%true, %next, %kept)
  %sum : Tensor = aten::mul(%y, %z)
  return (%sum)
)");
  FileCheck().check("prim::Loop(%n, %2, %x)")->check("aten::add(%changed, %x")->check("aten::mul(%3, %x)")->run(graph);
}

TEST(RemoveDeadCode, UnreadResultsGoWithWhatComputesThem) {
  const std::string graph = cleaned(R"(graph(%x : Tensor, %c : bool, %n : int):
  %true : bool = prim::Constant[value=1]()
  %read : Tensor, %unread : Tensor = prim::If(%c)
    block0():
      %a : Tensor = aten::relu(%x)
      %a2 : Tensor = aten::tanh(%x)
      -> (%a, %a2)
    block1():
      %b : Tensor = aten::sigmoid(%x)
      -> (%b, %b)
  %y : Tensor, %dead : Tensor = prim::Loop(%n, %true, %read, %read)
    block0(%i : int, %carried : Tensor, %ignored : Tensor):
      %next : Tensor = aten::neg(%carried)
      %cosine : Tensor = aten::cos(%carried)
      -> (%true, %next, %cosine)
  return (%y)
)");
  FileCheck()
      .check_not("aten::tanh")
      ->check(" : Tensor = prim::If")
      ->check_not("aten::cos")
      ->check("%carried : Tensor):")
      ->run(graph);
}

TEST(RemoveDeadCode, WritesRandomNumbersAndErrorsStay) {
  const std::string graph = cleaned(R"(graph(%x : Tensor, %c : bool):
  %p : float = prim::Constant[value=0.5]()
  %true : bool = prim::Constant[value=1]()
  %message : str = prim::Constant[value="no"]()
  %none : NoneType = prim::Constant()
  %written : Tensor = aten::relu_(%x)
  %random : Tensor = aten::dropout(%x, %p, %true)
  %unread : Tensor = aten::tanh(%x)
  prim::If(%c)
    block0():
      prim::RaiseException(%message, %none)
      -> ()
    block1():
      -> ()
  return (%x)
)");
  FileCheck().check("aten::relu_")->check("aten::dropout")->check_not("tanh")->check("RaiseException")->run(graph);
}

}  // namespace
}  // namespace fusekit
