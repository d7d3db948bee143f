#include "target/cpu/channels_last.h"

#include <algorithm>

#include "ir/memory_layout.h"
#include "ir/operators.h"
#include "ir/uses.h"
#include "target/cpu/layouts.h"

namespace fusekit::target {
namespace {

using torch::jit::NamedValue;
using torch::jit::Node;
using torch::jit::Use;
using torch::jit::Value;

constexpr auto kChannelsLast = static_cast<std::int64_t>(at::MemoryFormat::ChannelsLast);
constexpr auto kContiguous = static_cast<std::int64_t>(at::MemoryFormat::Contiguous);

void collect_places(Node* taker, std::vector<Use>& places) {
  for (std::size_t i = 0; i < taker->inputs().size(); ++i) {
    Node* maker = taker->input(i)->node();
    const auto kind = maker->kind();
    if (kind == c10::prim::TupleConstruct || kind == c10::prim::ListConstruct || kind == c10::prim::DictConstruct) {
      collect_places(maker, places);
    } else {
      places.emplace_back(taker, i);
    }
  }
}

}  // namespace

std::vector<Use> places_of_outputs(torch::jit::Graph& graph) {
  std::vector<Use> places;
  collect_places(graph.return_node(), places);
  return places;
}

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
  for (const auto& [taker, place] : places_of_outputs(graph_)) {
    Value* value = taker->input(place);
    const inputs::ObservedTensor tensor = inputs::seen(observed_, value);
    if (!tensor.is_contiguous.value_or(false) || tensor.rank.value_or(0) < 3) continue;
    const torch::jit::WithInsertPoint guard(taker);
    Value* kept = converted(value, tensor.rank == 4 ? format_of_input() : graph_.insertConstant(kContiguous));
    kept->node()->copyMetadata(taker);
    taker->replaceInput(place, kept);
  }
}

/// The memory format that the first argument of rank 4 has: contiguous, or else channels_last.
Value* ChannelsLast::format_of_input() {
  if (format_of_input_ != nullptr) return format_of_input_;
  const torch::jit::WithInsertPoint guard(*graph_.nodes().begin());  // for outputs in tuples, which are built earlier
  for (Value* input : graph_.inputs()) {
    if (inputs::seen(observed_, input).rank != 4) continue;
    Value* is_contiguous = graph_.insert(c10::aten::Int, {graph_.insert(c10::Symbol::aten("is_contiguous"), {input})});
    Value* twice = graph_.insert(c10::aten::mul, {is_contiguous, kChannelsLast});
    return format_of_input_ = graph_.insert(c10::aten::sub, {kChannelsLast, twice});
  }
  return format_of_input_ = graph_.insertConstant(kContiguous);
}

Value* ChannelsLast::converted(Value* value, Value* format) {
  return graph_.insert(c10::aten::contiguous, {value}, {NamedValue("memory_format", format)});
}

}  // namespace fusekit::target
