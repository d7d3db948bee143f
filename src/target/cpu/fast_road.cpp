#include "target/cpu/fast_road.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "ir/cleanup.h"
#include "ir/constants.h"
#include "ir/flatten.h"
#include "ir/functional.h"
#include "ir/marks.h"
#include "ir/operators.h"
#include "ir/uses.h"
#include "target/cpu/channel_shuffle.h"
#include "target/cpu/layouts.h"
#include "target/cpu/post_op.h"

namespace fusekit::target {
namespace {

using torch::jit::NamedValue;
using torch::jit::Node;
using torch::jit::Value;

constexpr auto kChannelsLast = static_cast<std::int64_t>(at::MemoryFormat::ChannelsLast);
/// Up to so many rows the plain product costs least, in float: a call of oneDNN's takes longer than its arithmetic. (In
/// bfloat16 the plain one arranges its weights anew in every call.)
constexpr std::int64_t kFewRows = 16;
/// Up to so many, in float, MKL's with an activation in place.
constexpr std::int64_t kRowsForMkl = 200;

bool are_all(const std::vector<std::int64_t>& numbers, std::int64_t of) {
  return std::all_of(numbers.begin(), numbers.end(), [of](std::int64_t number) { return number == of; });
}

/// Is it a matrix product of each pixel's channels?
bool is_pixelwise(const ir::Layer& layer, const ir::Geometry& geometry, const at::Tensor& weight) {
  return layer.groups == 1 && are_all(weight.sizes().slice(2).vec(), 1) && are_all(geometry.stride, 1) &&
         are_all(geometry.padding, 0);
}

/// Does `node` read the memory of `value`, be it through views?
bool reads(const Node* node, const Value* value) {
  return std::any_of(value->uses().begin(), value->uses().end(), [&](const torch::jit::Use& use) {
    if (use.user == node) return true;
    const auto& outputs = use.user->outputs();
    return ir::makes_alias(use) &&
           std::any_of(outputs.begin(), outputs.end(), [&](const Value* output) { return reads(node, output); });
  });
}

/// Does nothing between these nodes of a block write into memory?
bool nothing_is_written_between(Node* first, Node* last) {
  for (Node* node = first->next(); node != last; node = node->next()) {
    if (node->kind() == c10::prim::Return) return false;
    if (ir::has_writes(node)) return false;
  }
  return true;
}

Node* only_user(const Value* value) { return value->uses().size() == 1 ? value->uses().front().user : nullptr; }

}  // namespace

/// What is done to a layer's result at once: a sum, then an activation; either may be missing.
struct FastRoad::Tail {
  std::vector<Node*> nodes;  ///< the layer first; the last one's output is that of all
  Value* other = nullptr;    ///< of the sum: memory that it may be written to
  Node* activation = nullptr;
  PostOp post_op;

  [[nodiscard]] Node* last() const { return nodes.back(); }
};

void FastRoad::build() {
  shuffle_channels(graph_, observed_);
  writes_ = std::any_of(graph_.nodes().begin(), graph_.nodes().end(), [](Node* node) { return ir::has_writes(node); });
  const std::vector<Node*> nodes(graph_.nodes().begin(), graph_.nodes().end());
  for (Node* node : nodes)
    if (gone_.count(node) == 0) visit(node);
  keep_layout_of_outputs(graph_.return_node());
  read_any_layout(graph_);
  ir::remove_dead_code(graph_);
  ir::make_in_place(graph_);
}

void FastRoad::visit(Node* node) {
  if (lower_layer(node) || lower_batch_norm(node)) return;
  if (keeps_channels_last(node)) channels_last_.insert(node->output(0));
}

bool FastRoad::lower_layer(Node* node) {
  const auto layer = ir::as_layer(node);
  if (!layer || layer->transposed) return false;
  const auto weight = ir::constant_tensor(program_, layer->weight);
  const bool has_bias = layer->bias != nullptr && !ir::is_none(layer->bias);
  if (!weight || (has_bias && !ir::constant_tensor(program_, layer->bias))) return false;
  const bool is_known_type = weight->scalar_type() == at::kFloat || weight->scalar_type() == at::kBFloat16;
  const auto input = shape(layer->input);
  if (!is_known_type || !is_observed(layer->input, weight->scalar_type()) || !input || input->size() < 2) return false;
  return layer->is_linear ? lower_linear(*layer, *input) : lower_convolution(*layer, *weight, *input);
}

bool FastRoad::lower_convolution(const ir::Layer& layer, const at::Tensor& weight, const Shape& input) {
  if (input.size() != 4 || weight.dim() != 4) return false;
  const auto geometry = ir::geometry_of(*ir::as_convolution(layer.node), weight);
  if (!geometry || geometry->padding != geometry->padding_end) return false;
  const Tail tail = tail_of(layer.node, /*may_sum=*/true);
  Value* result = nullptr;
  if (is_pixelwise(layer, *geometry, weight) && tail.other == nullptr) {
    Value* pixels = insert(tail.last(), "aten::permute", {channels_last(layer.input, tail.last()), Shape{0, 2, 3, 1}});
    Value* made = product(layer, tail, input[0] * input[2] * input[3], pixels);
    result = insert(tail.last(), "aten::permute", {made, Shape{0, 3, 1, 2}});
  } else {
    result = convolution(layer, *geometry, input, tail);
  }
  channels_last_.insert(result);
  own_.insert(result);
  replace(tail, result);
  return true;
}

bool FastRoad::lower_linear(const ir::Layer& layer, const Shape& input) {
  const std::int64_t rows =
      std::accumulate(input.begin(), input.end() - 1, std::int64_t{1}, std::multiplies<std::int64_t>());
  if (rows <= kFewRows && is_observed(layer.input, at::kFloat)) return false;
  const Tail tail = tail_of(layer.node, /*may_sum=*/false);
  replace(tail, product(layer, tail, rows, layer.input));
  return true;
}

Value* FastRoad::convolution(const ir::Layer& layer, const ir::Geometry& geometry, const Shape& input,
                             const Tail& tail) {
  Node* before = tail.last();
  Value* x = channels_last(layer.input, before);
  Value* packed = layers_.read(layer, {Packing::convolution, input}, "packed", before);
  std::vector<NamedValue> arguments = {
      x, packed, layers_.bias(layer, before), geometry.padding, geometry.stride, geometry.dilation, layer.groups};
  const auto add = [&](const std::vector<NamedValue>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
  };
  const c10::IValue algorithm = tail.post_op.algorithm ? c10::IValue(*tail.post_op.algorithm) : c10::IValue();
  if (tail.other == nullptr) {
    add({tail.post_op.name, scalars(tail), algorithm});
    return insert(before, "mkldnn::_convolution_pointwise", arguments);
  }
  arguments.insert(arguments.begin(), tail.other);
  const c10::IValue activation = tail.activation != nullptr ? c10::IValue(tail.post_op.name) : c10::IValue();
  add({"add", c10::IValue(), activation, scalars(tail), algorithm});
  return insert(before, "mkldnn::_convolution_pointwise_", arguments);
}

Value* FastRoad::product(const ir::Layer& layer, const Tail& tail, std::int64_t rows, Value* x) {
  Node* before = tail.last();
  const auto read = [&](Packing packing, const char* attribute) {
    return layers_.read(layer, {packing, {rows}}, attribute, before);
  };
  const bool is_float = ir::constant_tensor(program_, layer.weight)->scalar_type() == at::kFloat;
  if (rows <= kFewRows && is_float) {
    Value* matrix = read(Packing::matrix, "packed");
    return activated(insert(before, "aten::linear", {x, matrix, layers_.bias(layer, before)}), tail);
  }
  if (is_float && rows <= kRowsForMkl && PackedLayers::is_supported(Packing::mkl)) {
    Value* packed = read(Packing::mkl, "packed");
    Value* matrix = read(Packing::mkl, "matrix");
    return activated(insert(before, "mkl::_mkl_linear", {x, packed, matrix, layers_.bias(layer, before), rows}), tail);
  }
  Value* packed = read(Packing::linear, "packed");
  const c10::IValue algorithm = tail.post_op.algorithm ? c10::IValue(*tail.post_op.algorithm) : c10::IValue();
  return insert(before, "mkldnn::_linear_pointwise",
                {x, packed, layers_.bias(layer, before), tail.post_op.name, scalars(tail), algorithm});
}

/// The activation of `tail` as an operator of its own, in place where it can be.
Value* FastRoad::activated(Value* value, const Tail& tail) {
  if (tail.activation == nullptr) return value;
  Node* activation = graph_.createClone(
      tail.activation, [&](Value* input) { return input == tail.activation->input(0) ? value : input; });
  activation->insertBefore(tail.last());
  ir::set_was_in_place(activation);
  return activation->output();
}

/// Batch normalization that no layer took up: shift + x * scale, in one pass over the data.
bool FastRoad::lower_batch_norm(Node* node) {
  const auto norm = ir::as_batch_norm(node);
  if (!norm || norm->training.value_or(true) || !norm->eps || channels_last_.count(norm->input) == 0) return false;
  const auto mean = ir::constant_tensor(program_, norm->mean);
  const auto var = ir::constant_tensor(program_, norm->var);
  const bool is_float = is_observed(norm->input, at::kFloat);
  if (!mean || !var || mean->scalar_type() != at::kFloat || !(is_float || is_observed(norm->input, at::kBFloat16)))
    return false;
  at::Tensor scale = (var->to(at::kDouble) + *norm->eps).rsqrt();
  if (!ir::is_none(norm->gamma)) {
    const auto gamma = ir::constant_tensor(program_, norm->gamma);
    if (!gamma) return false;
    scale = scale * *gamma;
  }
  at::Tensor shift = -mean->to(at::kDouble) * scale;
  if (!ir::is_none(norm->beta)) {
    const auto beta = ir::constant_tensor(program_, norm->beta);
    if (!beta) return false;
    shift = shift + *beta;
  }
  const ir::Weight* weight = ir::weight_of(program_, norm->mean);
  const auto constant = [&](const char* name, const at::Tensor& tensor) {
    const std::string path = weight == nullptr ? "" : ir::join_path(ir::split_path(weight->path).first, name);
    return ir::add_weight(program_, node, path,
                          tensor.to(is_float ? at::kFloat : at::kBFloat16).view({1, -1, 1, 1}).contiguous(), weight);
  };
  Value* result = insert(node, "aten::addcmul", {constant("shift", shift), norm->input, constant("scale", scale)});
  channels_last_.insert(result);
  const Tail tail{{node}, nullptr, nullptr, {}};
  replace(tail, result);
  return true;
}

FastRoad::Tail FastRoad::tail_of(Node* layer, bool may_sum) const {
  Tail tail;
  tail.nodes.push_back(layer);
  Node* user = only_user(layer->output());
  if (may_sum && user != nullptr && ir::is_plain_sum(user) && user->owningBlock() == graph_.block() &&
      nothing_is_written_between(layer, user)) {
    Value* other = user->input(user->input(0) == layer->output() ? 1 : 0);
    if (!reads(layer, other) && may_be_summed_into(other, user)) {
      tail.other = other;
      tail.nodes.push_back(user);
    }
  }
  take_activation(tail);
  return tail;
}

void FastRoad::take_activation(Tail& tail) const {
  Node* user = only_user(tail.last()->output());
  if (user == nullptr || user->owningBlock() != graph_.block()) return;
  const auto post_op = post_op_of(user);
  if (!post_op || !nothing_is_written_between(tail.nodes.front(), user)) return;
  tail.post_op = *post_op;
  tail.activation = user;
  tail.nodes.push_back(user);
}

bool FastRoad::may_be_summed_into(Value* other, Node* sum) const {
  return sum->owningBlock() == graph_.block() && other->node()->owningBlock() == graph_.block() &&
         channels_last_.count(other) > 0 && (own_.count(other) > 0 || ir::has_own_memory(other)) && shape(other) &&
         shape(other) == shape(sum->output()) && shape(sum->input(0)) == shape(sum->input(1)) &&
         ir::is_last_reader(other, sum);
}

void FastRoad::replace(const Tail& tail, Value* result) {
  Value* replaced = tail.last()->output();
  if (const auto seen = observed_.find(replaced->unique()); seen != observed_.end())
    observed_[result->unique()] = seen->second;
  replaced->replaceAllUsesWith(result);
  for (auto node = tail.nodes.rbegin(); node != tail.nodes.rend(); ++node) {
    gone_.insert(*node);
    (*node)->destroy();
  }
}

std::optional<FastRoad::Shape> FastRoad::shape(const Value* value) const {
  const auto seen = observed_.find(value->unique());
  return seen == observed_.end() ? std::nullopt : seen->second.sizes;
}

bool FastRoad::is_observed(const Value* value, at::ScalarType dtype) const {
  const auto seen = observed_.find(value->unique());
  return seen != observed_.end() && seen->second.dtype == dtype;
}

/// Does the operator give a dense channels_last tensor because it is given one?
bool FastRoad::keeps_channels_last(Node* node) const {
  const auto is_there = [this](const Value* value) { return channels_last_.count(value) > 0; };
  if (const auto concat = ir::as_concat(node)) {
    const auto parts = concat->parts();
    return concat->dim == 1 && !parts.empty() && std::all_of(parts.begin(), parts.end(), is_there);
  }
  if (const auto arithmetic = ir::as_arithmetic(node)) {
    const auto output = shape(node->output());
    const auto whole = [&](Value* value) { return is_there(value) && output && shape(value) == output; };
    const auto fits = [&](Value* value) {
      const auto size = shape(value);
      return whole(value) || (size && (*size).size() == 4 && (*size)[2] == 1 && (*size)[3] == 1);
    };
    if (!arithmetic->of_tensors()) return whole(arithmetic->a);
    return (whole(arithmetic->a) && fits(arithmetic->b)) || (fits(arithmetic->a) && whole(arithmetic->b));
  }
  return keeps_layout(node) && is_there(node->input(0));
}

Value* FastRoad::channels_last(Value* value, Node* before) {
  if (channels_last_.count(value) > 0) return value;
  if (const auto known = converted_.find(value); known != converted_.end()) return known->second;
  // Where nothing is written, once for all readers: as soon as the value is there.
  Node* maker = value->node();
  const bool is_argument = maker->kind() == c10::prim::Param;
  const torch::jit::WithInsertPoint guard(writes_ ? before : is_argument ? *graph_.nodes().begin() : maker->next());
  Value* converted = graph_.insert(c10::aten::contiguous, {value}, {NamedValue("memory_format", kChannelsLast)});
  converted->node()->copyMetadata(before);
  if (!writes_) converted_[value] = converted;
  return converted;
}

Value* FastRoad::scalars(const Tail& tail) {
  std::vector<Value*> values;
  const torch::jit::WithInsertPoint guard(tail.last());
  for (const double scalar : tail.post_op.scalars) values.push_back(graph_.insertConstant(scalar));
  return graph_.insertNode(graph_.createList(c10::OptionalType::create(c10::NumberType::get()), values))->output();
}

/// What a caller is given lies in memory as it did, whatever layout the road has inside.
void FastRoad::keep_layout_of_outputs(Node* reader) {
  for (std::size_t i = 0; i < reader->inputs().size(); ++i) {
    Value* value = reader->input(i);
    const auto kind = value->node()->kind();
    if (kind == c10::prim::TupleConstruct || kind == c10::prim::ListConstruct || kind == c10::prim::DictConstruct) {
      keep_layout_of_outputs(value->node());
      continue;
    }
    const auto seen = observed_.find(value->unique());
    const bool was_contiguous = seen != observed_.end() && seen->second.is_contiguous.value_or(false);
    if (!was_contiguous || seen->second.rank.value_or(0) < 3) continue;
    const torch::jit::WithInsertPoint guard(reader);
    const std::int64_t rank = *seen->second.rank;
    Value* kept = rank == 4
                      ? graph_.insert(c10::aten::contiguous, {value}, {NamedValue("memory_format", format_of_input())})
                      : graph_.insert(c10::aten::contiguous, {value});
    kept->node()->copyMetadata(reader);
    reader->replaceInput(i, kept);
  }
}

/// The memory format that the first input of rank 4 has: contiguous, or else channels_last.
Value* FastRoad::format_of_input() {
  if (format_of_input_ != nullptr) return format_of_input_;
  const torch::jit::WithInsertPoint guard(*graph_.nodes().begin());  // for outputs in tuples, which are built earlier
  for (Value* input : graph_.inputs()) {
    const auto seen = observed_.find(input->unique());
    if (seen == observed_.end() || seen->second.rank != 4) continue;
    Value* is_contiguous = graph_.insert(c10::aten::Int, {graph_.insert(c10::Symbol::aten("is_contiguous"), {input})});
    Value* twice = graph_.insert(c10::aten::mul, {is_contiguous, kChannelsLast});
    return format_of_input_ = graph_.insert(c10::aten::sub, {kChannelsLast, twice});
  }
  return format_of_input_ = graph_.insertConstant(static_cast<std::int64_t>(at::MemoryFormat::Contiguous));
}

Value* FastRoad::insert(Node* before, const char* op, const std::vector<NamedValue>& arguments) {
  const torch::jit::WithInsertPoint guard(before);
  Value* result = graph_.insert(c10::Symbol::fromQualString(op), arguments);
  result->node()->copyMetadata(before);
  return result;
}

}  // namespace fusekit::target
