// What is certain of numbers of dimensions.
#include "ir/ranks.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>

#include "ir/program.h"

namespace fusekit::ir {
namespace {

constexpr const char* kBegin = R"(graph(%x : Tensor, %w : Tensor, %b : Tensor, %i : int):
  %none : NoneType = prim::Constant()
  %yes : bool = prim::Constant[value=1]()
  %no : bool = prim::Constant[value=0]()
  %zero : int = prim::Constant[value=0]()
  %one : int = prim::Constant[value=1]()
  %two : int = prim::Constant[value=2]()
  %last : int = prim::Constant[value=-1]()
  %four : int[] = prim::Constant[value=[2, 3, 4, 5]]()
  %a : Tensor = aten::view(%x, %four)
)";

/// The rank of the graph's output; %a has four dimensions, that of %x is not known.
std::optional<std::int64_t> rank_of(const std::string& body) {
  const auto graph = std::make_shared<Graph>();
  torch::jit::parseIR(kBegin + body + "\n  return (%y)", graph.get());
  const RankFacts facts(*graph);
  return facts.rank(graph->outputs()[0], graph->return_node());
}

struct RankCase {
  const char* name;
  const char* body;
  std::optional<std::int64_t> rank;
};

void PrintTo(const RankCase& given, std::ostream* out) { *out << given.name; }

class RankOfOperator : public testing::TestWithParam<RankCase> {};

TEST_P(RankOfOperator, FollowsFromItsInputs) { EXPECT_EQ(rank_of(GetParam().body), GetParam().rank); }

INSTANTIATE_TEST_SUITE_P(
    Operators, RankOfOperator,
    testing::Values(
        RankCase{"elementwise", "  %y : Tensor = aten::exp(%a)", 4},
        RankCase{"elementwise_of_unknown", "  %y : Tensor = aten::exp(%x)", std::nullopt},
        RankCase{"broadcast", "  %s : Tensor = aten::select(%a, %zero, %one)\n  %y : Tensor = aten::mul(%s, %a)", 4},
        RankCase{"broadcast_with_unknown", "  %y : Tensor = aten::mul(%a, %x)", std::nullopt},
        RankCase{"broadcast_with_itself", "  %e : Tensor = aten::exp(%a)\n  %y : Tensor = aten::add(%e, %a, %one)", 4},
        RankCase{"in_place", "  %y : Tensor = aten::mul_(%a, %x)", 4},
        RankCase{"select", "  %y : Tensor = aten::select(%a, %zero, %i)", 3},
        RankCase{"unsqueeze", "  %y : Tensor = aten::unsqueeze(%a, %i)", 5},
        RankCase{"flatten", "  %y : Tensor = aten::flatten(%a, %one, %two)", 3},
        RankCase{"flatten_the_rest_of_unknown", "  %y : Tensor = aten::flatten(%x, %one, %last)", 2},
        RankCase{"flatten_unknown", "  %y : Tensor = aten::flatten(%x, %one, %two)", std::nullopt},
        RankCase{"matmul", "  %v : Tensor = aten::mv(%w, %b)\n  %y : Tensor = aten::matmul(%a, %v)", 3},
        RankCase{"max_along", "  %y : Tensor, %k : Tensor = aten::max(%a, %one, %no)", 3},
        RankCase{"max_along_kept", "  %y : Tensor, %k : Tensor = aten::max(%a, %one, %yes)", 4},
        RankCase{"max_of_all", "  %y : Tensor = aten::max(%a)", 0},
        RankCase{"max_of_two", "  %y : Tensor = aten::max(%a, %a)", 4},
        RankCase{"argmax_along", "  %y : Tensor = aten::argmax(%a, %one, %no)", 3},
        RankCase{"argmax_of_all", "  %y : Tensor = aten::argmax(%a, %none, %no)", 0},
        RankCase{"keepdim_at_run_time", "  %k : bool = aten::Bool(%i)\n  %y : Tensor = aten::argmax(%a, %one, %k)",
                 std::nullopt},
        RankCase{"squeeze_of_any_size", "  %y : Tensor = aten::squeeze(%a, %one)", std::nullopt},
        RankCase{"squeeze_of_all", "  %y : Tensor = aten::squeeze(%a)", std::nullopt},
        RankCase{"squeeze_of_a_kept_reduction",
                 "  %m : Tensor, %k : Tensor = aten::max(%a, %last, %yes)\n  %y : Tensor = aten::squeeze(%m, %last)",
                 3},
        RankCase{"squeeze_of_another_dimension",
                 "  %m : Tensor, %k : Tensor = aten::max(%a, %last, %yes)\n  %y : Tensor = aten::squeeze(%m, %one)",
                 std::nullopt},
        RankCase{"squeeze_of_an_unsqueeze",
                 "  %u : Tensor = aten::unsqueeze(%a, %one)\n  %r : Tensor = aten::relu(%u)\n"
                 "  %y : Tensor = aten::squeeze(%r, %one)",
                 4},
        RankCase{"parts_of_a_chunk",
                 "  %l : Tensor[] = aten::chunk(%a, %two, %one)\n  %y : Tensor, %z : Tensor = prim::ListUnpack(%l)", 4},
        RankCase{"parts_of_an_unbind",
                 "  %l : Tensor[] = aten::unbind(%a, %one)\n  %y : Tensor = aten::__getitem__(%l, %zero)", 3},
        RankCase{"stack", "  %l : Tensor[] = prim::ListConstruct(%a, %a)\n  %y : Tensor = aten::stack(%l, %zero)", 5},
        RankCase{"cat", "  %l : Tensor[] = prim::ListConstruct(%a, %a)\n  %y : Tensor = aten::cat(%l, %zero)", 4},
        RankCase{"cat_with_unknown",
                 "  %l : Tensor[] = prim::ListConstruct(%x, %a)\n  %y : Tensor = aten::cat(%l, %zero)", std::nullopt},
        RankCase{"a_list_that_grows",
                 "  %l : Tensor[] = prim::ListConstruct(%a)\n  %m : Tensor[] = aten::append(%l, %x)\n"
                 "  %y : Tensor = aten::__getitem__(%l, %zero)",
                 std::nullopt},
        RankCase{"einsum",
                 "  %e : str = prim::Constant[value=\"bchw,bkhw->bck\"]()\n"
                 "  %l : Tensor[] = prim::ListConstruct(%a, %a)\n  %y : Tensor = aten::einsum(%e, %l, %none)",
                 3},
        RankCase{"embedding",
                 "  %s : Tensor = aten::select(%a, %zero, %one)\n"
                 "  %y : Tensor = aten::embedding(%w, %s, %last, %no, %no)",
                 4},
        RankCase{"embedding_bag",
                 "  %y : Tensor, %1 : Tensor, %2 : Tensor, %3 : Tensor = aten::embedding_bag(%w, %x, %b, %no, %zero, "
                 "%no, %none, %no, %none)",
                 2},
        RankCase{"two_outputs_of_a_pool",
                 "  %ones : int[] = prim::Constant[value=[1, 1]]()\n"
                 "  %y : Tensor, %k : Tensor = aten::adaptive_max_pool2d(%a, %ones)",
                 4},
        RankCase{"squeezed_pool",
                 "  %ones : int[] = prim::Constant[value=[1, 1]]()\n"
                 "  %p : Tensor = aten::adaptive_avg_pool2d(%a, %ones)\n"
                 "  %s : Tensor = aten::squeeze(%p, %last)\n  %y : Tensor = aten::squeeze(%s, %last)",
                 2},
        RankCase{"both_branches",
                 "  %c : bool = aten::Bool(%i)\n  %y : Tensor = prim::If(%c)\n    block0():\n"
                 "      %s : Tensor = aten::select(%a, %zero, %one)\n      -> (%s)\n    block1():\n"
                 "      %t : Tensor = aten::select(%a, %one, %one)\n      -> (%t)",
                 3},
        RankCase{"branches_of_two_ranks",
                 "  %c : bool = aten::Bool(%i)\n  %y : Tensor = prim::If(%c)\n    block0():\n"
                 "      %s : Tensor = aten::select(%a, %zero, %one)\n      -> (%s)\n    block1():\n      -> (%a)",
                 std::nullopt},
        RankCase{"a_loop_that_keeps_it",
                 "  %y : Tensor = prim::Loop(%i, %yes, %a)\n    block0(%k : int, %v : Tensor):\n"
                 "      %n : Tensor = aten::relu(%v)\n      -> (%yes, %n)",
                 4},
        RankCase{"a_loop_that_changes_it",
                 "  %y : Tensor = prim::Loop(%i, %yes, %a)\n    block0(%k : int, %v : Tensor):\n"
                 "      %n : Tensor = aten::unsqueeze(%v, %zero)\n      -> (%yes, %n)",
                 std::nullopt}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(RankFacts, WhatAnAddmmReadsIsAMatrixOnlyFromThereOn) {
  const auto graph = std::make_shared<Graph>();
  torch::jit::parseIR(R"(graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %one : int = prim::Constant[value=1]()
  %d : int = aten::dim(%x)
  %y : Tensor = aten::addmm(%b, %x, %w, %one, %one)
  %e : int = aten::dim(%x)
  return (%d, %e, %y))",
                      graph.get());
  const RankFacts facts(*graph);
  const Value* x = graph->inputs()[0];
  EXPECT_EQ(facts.rank(x, graph->outputs()[0]->node()), std::nullopt);
  EXPECT_EQ(facts.rank(x, graph->outputs()[1]->node()), 2);
}

TEST(RankFacts, AChainOfSumsOfDifferentRanksIsWorkedOutOnce) {
  // Each value is read twice by the next: without notes, 2^60 questions.
  std::string body = "  %v0 : Tensor = aten::exp(%x)\n";
  for (int i = 0; i < 60; ++i)
    body += fmt::format(
        "  %s{0} : Tensor = aten::unsqueeze(%v{0}, %zero)\n"
        "  %t{0} : Tensor = aten::unsqueeze(%v{0}, %one)\n"
        "  %v{1} : Tensor = aten::add(%s{0}, %t{0}, %one)\n",
        i, i + 1);
  EXPECT_EQ(rank_of(body + "  %y : Tensor = aten::exp(%v60)"), std::nullopt);
}

}  // namespace
}  // namespace fusekit::ir
