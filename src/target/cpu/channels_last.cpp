#include "target/cpu/channels_last.h"

#include <algorithm>

#include "ir/memory_layout.h"
#include "ir/operators.h"
#include "ir/uses.h"
#include "target/layouts.h"

namespace fusekit::target {

using torch::jit::Node;
using torch::jit::Value;

ChannelsLast::ChannelsLast(torch::jit::Graph& graph, const inputs::ObservedTensors& observed)
    : graph_(graph),
      observed_(observed),
      writes_(
          std::any_of(graph.nodes().begin(), graph.nodes().end(), [](Node* node) { return ir::has_writes(node); })) {}

bool ChannelsLast::is_kept_by(Node* node) const {
  if (const auto concat = ir::as_concat(node)) {
    const auto parts = concat->parts();
    return concat->dim == 1 && !parts.empty() &&
           std::all_of(parts.begin(), parts.end(), [this](const Value* part) { return has(part); });
  }
  if (const auto arithmetic = ir::as_arithmetic(node)) {
    const auto output = inputs::seen(observed_, node->output()).sizes;
    const auto whole = [&](Value* value) {
      return has(value) && output && inputs::seen(observed_, value).sizes == output;
    };
    const auto fits = [&](Value* value) {
      const auto sizes = inputs::seen(observed_, value).sizes;
      return whole(value) || (sizes && sizes->size() == 4 && (*sizes)[2] == 1 && (*sizes)[3] == 1);
    };
    if (!arithmetic->of_tensors()) return whole(arithmetic->a);
    return (whole(arithmetic->a) && fits(arithmetic->b)) || (fits(arithmetic->a) && whole(arithmetic->b));
  }
  return keeps_layout(node) && has(node->input(0));
}

Value* ChannelsLast::of(Value* value, Node* before) {
  if (has(value)) return value;
  if (const auto known = converted_.find(value); known != converted_.end()) return known->second;
  if (Value* picture = converted_picture(value)) return picture;
  // Where nothing is written, once for all readers: as soon as the value is there.
  Node* maker = value->node();
  const bool is_argument = maker->kind() == c10::prim::Param;
  const torch::jit::WithInsertPoint guard(writes_       ? before
                                          : is_argument ? *maker->owningBlock()->nodes().begin()
                                                        : maker->next());
  const auto sizes = inputs::seen(observed_, value).sizes;
  Value* result = sizes && ir::is_picture(*sizes) ? ir::write_channels_last(value, (*sizes)[1])
                                                  : ir::write_contiguous(value, at::MemoryFormat::ChannelsLast);
  result->node()->copyMetadata(before);
  if (!writes_) converted_[value] = result;
  return result;
}

/// A picture that is converted to another dtype: shuffling its pixels takes half the time in float that it takes in bfloat16.
Value* ChannelsLast::converted_picture(Value* value) {
  const auto conversion = ir::as_conversion(value->node());
  if (!conversion || ir::only_user(value) == nullptr || inputs::seen(observed_, conversion->input).dtype != at::kFloat)
    return nullptr;
  const auto sizes = inputs::seen(observed_, value).sizes;
  if (!sizes || !ir::is_picture(*sizes)) return nullptr;
  conversion->node->replaceInput(0, of(conversion->input, conversion->node));
  add(value);
  return value;
}

void ChannelsLast::keep_outputs() {
  std::vector<torch::jit::Use> places;
  for (const auto& [taker, place] : places_of_outputs(graph_)) {
    const inputs::ObservedTensor tensor = inputs::seen(observed_, taker->input(place));
    if (tensor.is_contiguous.value_or(false) && tensor.rank.value_or(0) >= 3) places.emplace_back(taker, place);
  }
  const auto arguments = graph_.inputs();
  const auto first = std::find_if(arguments.begin(), arguments.end(),
                                  [&](const Value* value) { return inputs::seen(observed_, value).rank == 4; });
  keep_contiguous(graph_, places, first == arguments.end() ? std::vector<Value*>{} : std::vector<Value*>{*first});
}

}  // namespace fusekit::target
