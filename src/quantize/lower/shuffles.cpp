#include "quantize/lower/shuffles.h"

#include <algorithm>

#include "ir/cleanup.h"
#include "ir/operators.h"
#include "ir/program.h"
#include "ir/ranks.h"

namespace fusekit::quantize {
namespace {

using torch::jit::Node;
using torch::jit::Use;
using torch::jit::Value;

/// Is it read in a way that asks for a layout? A shuffle keeps its input's, a shuffle written out gives dense rows.
bool is_viewed(const Value* value) {
  const auto& uses = value->uses();
  return std::any_of(uses.begin(), uses.end(), [](const Use& use) {
    const bool passes_on = ir::is_operator(use.user, {"aten::chunk", "aten::split", "aten::split_with_sizes",
                                                      "aten::slice", "aten::narrow", "aten::__getitem__"});
    return ir::is_operator(use.user, {"aten::view", "aten::as_strided", "aten::is_contiguous", "aten::stride"}) ||
           (passes_on && is_viewed(use.user->output()));
  });
}

}  // namespace

void name_shuffles(torch::jit::Graph& graph) {
  const ir::RankFacts ranks(graph);
  for (Node* node : ir::all_nodes(graph)) {
    const auto written_out = ir::as_channel_shuffle(node);
    if (!written_out || is_viewed(node->output())) continue;
    const auto groups = written_out->groups(ranks.rank(written_out->input, node) == 4);
    if (!groups) continue;
    const torch::jit::WithInsertPoint guard(node);
    Value* shuffled = graph.insert(c10::Symbol::aten("channel_shuffle"), {written_out->input, *groups});
    shuffled->node()->copyMetadata(node);
    node->replaceInput(0, shuffled);  // a view of as many elements, which mostly is none
  }
  ir::remove_dead_code(graph);
}

}  // namespace fusekit::quantize
