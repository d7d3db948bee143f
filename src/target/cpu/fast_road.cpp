#include "target/cpu/fast_road.h"

#include <algorithm>

#include "ir/cleanup.h"
#include "ir/concatenations.h"
#include "ir/constants.h"
#include "ir/functional.h"
#include "ir/marks.h"
#include "ir/operators.h"
#include "ir/scale_and_shift.h"
#include "ir/uses.h"
#include "target/cpu/native_shuffle.h"
#include "target/cpu/pools.h"
#include "target/cpu/post_op.h"
#include "target/cpu/product.h"
#include "target/idle_conversions.h"
#include "target/layouts.h"

namespace fusekit::target {
namespace {

using torch::jit::NamedValue;
using torch::jit::Node;
using torch::jit::Value;

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

/// The settings of a convolution that pads both ends alike, as oneDNN's operators do.
std::optional<ir::Geometry> symmetric_geometry(const ir::Layer& layer, const at::Tensor& weight) {
  auto geometry = ir::geometry_of(*ir::as_convolution(layer.node), weight);
  return geometry && geometry->padding == geometry->padding_end ? geometry : std::nullopt;
}

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
  AnyLayout data;
  data.was_contiguous = [this](const Value* value) {
    return inputs::seen(observed_, value).is_contiguous.value_or(true);
  };
  drop_idle_conversions(graph_, observed_);
  shuffle_channels(graph_, observed_);
  ir::reuse_concatenations(graph_, program_);
  for (Node* node : ir::all_nodes(graph_))
    if (gone_.count(node) == 0) visit(node);
  channels_last_.keep_outputs();
  read_any_layout(graph_, data);
  ir::remove_dead_code(graph_);
  lower_pools(graph_, observed_, channels_last_);
  ir::make_in_place(graph_);
}

void FastRoad::visit(Node* node) {
  if (lower_layer(node) || lower_batch_norm(node)) return;
  if (channels_last_.is_kept_by(node)) channels_last_.add(node->output(0));
}

bool FastRoad::lower_layer(Node* node) {
  const auto layer = ir::as_layer(node);
  if (!layer) return false;
  if (!inputs::seen(observed_, node->output()).sizes) return false;  // in a branch that was not taken
  if (!has_constant_weights(*layer, program_)) return false;
  const at::Tensor weight = *ir::constant_tensor(program_, layer->weight);
  const inputs::ObservedTensor input = inputs::seen(observed_, layer->input);
  const bool is_known_type = weight.scalar_type() == at::kFloat || weight.scalar_type() == at::kBFloat16;
  if (!is_known_type || input.dtype != weight.scalar_type() || !input.sizes || input.sizes->size() < 2) return false;
  if (layer->transposed) return lower_transposed(*layer, weight, *input.sizes);
  return layer->is_linear ? lower_linear(*layer) : lower_convolution(*layer, weight, *input.sizes);
}

bool FastRoad::lower_transposed(const ir::Layer& layer, const at::Tensor& weight, const Shape& input) {
  if (input.size() != 4 || weight.dim() != 4 || layer.groups != 1) return false;
  const auto geometry = ir::geometry_of(*ir::as_convolution(layer.node), weight);
  if (!geometry || !PackedLayers::is_supported(Packing::transposed)) return false;
  const Tail tail = tail_of(layer.node, /*may_sum=*/false);
  Node* before = tail.last();
  Value* x = channels_last_.of(layer.input, before);
  Value* packed = layers_.read(layer, {Packing::transposed, input}, "packed", before);
  Value* result =
      insert(before, "mkldnn::_convolution_transpose_pointwise",
             {x, packed, layers_.bias(layer, before), geometry->padding, geometry->output_padding, geometry->stride,
              geometry->dilation, layer.groups, tail.post_op.name, scalars(tail), algorithm_of(tail)});
  channels_last_.add(result);
  own_.insert(result);
  replace(tail, result);
  return true;
}

bool FastRoad::lower_convolution(const ir::Layer& layer, const at::Tensor& weight, const Shape& input) {
  if (input.size() == 3 && weight.dim() == 3) return lower_convolution_1d(layer, weight, input);
  if (input.size() == 5 && weight.dim() == 5) return lower_convolution_3d(layer, weight, input);
  if (input.size() != 4 || weight.dim() != 4) return false;
  const auto geometry = symmetric_geometry(layer, weight);
  if (!geometry) return false;
  const Tail tail = tail_of(layer.node, /*may_sum=*/true);
  Value* result = nullptr;
  const auto pixelwise = as_product(layer, program_, observed_);
  if (pixelwise && tail.other == nullptr) {
    Value* pixels =
        insert(tail.last(), "aten::permute", {channels_last_.of(layer.input, tail.last()), Shape{0, 2, 3, 1}});
    Value* made = product(layer, tail, *pixelwise, pixels);
    result = insert(tail.last(), "aten::permute", {made, Shape{0, 3, 1, 2}});
  } else {
    Value* x = channels_last_.of(layer.input, tail.last());
    Value* packed = layers_.read(layer, {Packing::convolution, input}, "packed", tail.last());
    result = convolution(layer, *geometry, x, packed, tail);
  }
  channels_last_.add(result);
  own_.insert(result);
  replace(tail, result);
  return true;
}

/// What pays: kernels of 2 or 3, in the layout that they are given; others are LibTorch's own as fast or faster.
bool FastRoad::lower_convolution_3d(const ir::Layer& layer, const at::Tensor& weight, const Shape& input) {
  const auto geometry = symmetric_geometry(layer, weight);
  if (!geometry) return false;
  const Shape kernel = weight.sizes().slice(2).vec();
  const std::int64_t largest = *std::max_element(kernel.begin(), kernel.end());
  if (largest < 2 || largest > 3) return false;
  const Tail tail = tail_of(layer.node, /*may_sum=*/false);
  Value* packed = layers_.read(layer, {Packing::convolution, input}, "packed", tail.last());
  replace(tail, convolution(layer, *geometry, layer.input, packed, tail));
  return true;
}

/// What pays: one filter a channel, as pictures of one row, and products of all channels.
bool FastRoad::lower_convolution_1d(const ir::Layer& layer, const at::Tensor& weight, const Shape& input) {
  const auto geometry = symmetric_geometry(layer, weight);
  if (!geometry) return false;
  const Tail tail = tail_of(layer.node, /*may_sum=*/false);
  if (const auto each = as_product(layer, program_, observed_)) {
    if (packing_of(*each, times_) != Packing::mkl) return false;
    Value* columns = insert(tail.last(), "aten::transpose", {layer.input, 1, 2});
    replace(tail, insert(tail.last(), "aten::transpose", {product(layer, tail, *each, columns), 1, 2}));
    return true;
  }
  if (layer.groups == 1 || layer.groups != input[1]) return false;
  Value* pictures = insert(tail.last(), "aten::unsqueeze", {layer.input, 2});
  Value* packed =
      layers_.read(layer, {Packing::row_convolution, {input[0], input[1], 1, input[2]}}, "packed", tail.last());
  Value* made = convolution(layer, of_one_row(*geometry), pictures, packed, tail);
  replace(tail, insert(tail.last(), "aten::squeeze", {made, 2}));
  return true;
}

bool FastRoad::lower_linear(const ir::Layer& layer) {
  const auto rows = as_product(layer, program_, observed_);
  if (!rows || packing_of(*rows, times_) == Packing::matrix) return false;
  const Tail tail = tail_of(layer.node, /*may_sum=*/false);
  replace(tail, product(layer, tail, *rows, layer.input));
  return true;
}

c10::IValue FastRoad::algorithm_of(const Tail& tail) {
  const auto& algorithm = tail.post_op.algorithm;
  return algorithm ? c10::IValue(*algorithm) : c10::IValue();
}

Value* FastRoad::convolution(const ir::Layer& layer, const ir::Geometry& geometry, Value* x, Value* packed,
                             const Tail& tail) {
  Node* before = tail.last();
  std::vector<NamedValue> arguments = {
      x, packed, layers_.bias(layer, before), geometry.padding, geometry.stride, geometry.dilation, layer.groups};
  const auto add = [&](const std::vector<NamedValue>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
  };
  if (tail.other == nullptr) {
    add({tail.post_op.name, scalars(tail), algorithm_of(tail)});
    return insert(before, "mkldnn::_convolution_pointwise", arguments);
  }
  arguments.insert(arguments.begin(), tail.other);
  const c10::IValue activation = tail.activation != nullptr ? c10::IValue(tail.post_op.name) : c10::IValue();
  add({"add", c10::IValue(), activation, scalars(tail), algorithm_of(tail)});
  return insert(before, "mkldnn::_convolution_pointwise_", arguments);
}

Value* FastRoad::product(const ir::Layer& layer, const Tail& tail, const Product& product, Value* x) {
  Node* before = tail.last();
  const std::int64_t rows = product.rows;
  const Packing packing = packing_of(product, times_);
  const auto read = [&](const char* attribute) { return layers_.read(layer, {packing, {rows}}, attribute, before); };
  if (packing == Packing::matrix) {
    Value* matrix = read("packed");
    return activated(insert(before, "aten::linear", {x, matrix, layers_.bias(layer, before)}), tail);
  }
  if (packing == Packing::mkl) {
    Value* packed = read("packed");
    Value* matrix = read("matrix");
    return activated(insert(before, "mkl::_mkl_linear", {x, packed, matrix, layers_.bias(layer, before), rows}), tail);
  }
  Value* packed = read("packed");
  return insert(before, "mkldnn::_linear_pointwise",
                {x, packed, layers_.bias(layer, before), tail.post_op.name, scalars(tail), algorithm_of(tail)});
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

/// Batch normalization that no layer took up: shift + x * scale, in one pass over the data. Where that pays, as a
/// convolution with one filter a channel, which takes up the activation.
bool FastRoad::lower_batch_norm(Node* node) {
  const auto norm = ir::as_batch_norm(node);
  if (!norm || norm->training.value_or(true) || !channels_last_.has(norm->input)) return false;
  const auto dtype = inputs::seen(observed_, norm->input).dtype;
  const auto computed = ir::scale_and_shift(*norm, program_);
  const bool was_float = computed && ir::constant_tensor(program_, norm->mean)->scalar_type() == at::kFloat;
  if (!was_float || (dtype != at::kFloat && dtype != at::kBFloat16)) return false;
  const ir::Weight* like = ir::weight_of(program_, norm->mean);
  const auto constant = [&](const char* name, const at::Tensor& tensor, const Shape& shape) {
    return ir::add_weight(program_, node, ir::sibling_path(like, name), tensor.to(*dtype).view(shape).contiguous(),
                          like);
  };
  const Tail tail{{node}, nullptr, nullptr, {}};
  if (is_faster_as_convolution(node)) {
    Value* filters = constant("scale", computed->scale, {-1, 1, 1, 1});
    Value* bias = constant("shift", computed->shift, {-1});
    Value* result =
        insert(node, "aten::conv2d",
               {norm->input, filters, bias, Shape{1, 1}, Shape{0, 0}, Shape{1, 1}, computed->scale.numel()});
    replace(tail, result);
    return lower_layer(result->node());
  }
  Value* shift = constant("shift", computed->shift, {1, -1, 1, 1});
  Value* scale = constant("scale", computed->scale, {1, -1, 1, 1});
  Value* result = insert(node, "aten::addcmul", {shift, norm->input, scale});
  channels_last_.add(result);
  replace(tail, result);
  return true;
}

/// In bfloat16 LibTorch converts each element to float and back, for the activation once more: 0.75 ns an element, where
/// oneDNN takes 50 µs and 0.27 ns.
bool FastRoad::is_faster_as_convolution(const Node* batch_norm) const {
  constexpr std::int64_t enough = 128 * 1024;
  const inputs::ObservedTensor output = inputs::seen(observed_, batch_norm->output());
  Node* user = ir::only_user(batch_norm->output());
  return output.dtype == at::kBFloat16 && output.sizes && c10::multiply_integers(*output.sizes) >= enough &&
         user != nullptr && post_op_of(user).has_value();
}

FastRoad::Tail FastRoad::tail_of(Node* layer, bool may_sum) const {
  Tail tail;
  tail.nodes.push_back(layer);
  Node* user = ir::only_user(layer->output());
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
  Node* user = ir::only_user(tail.last()->output());
  if (user == nullptr || user->owningBlock() != tail.last()->owningBlock()) return;
  const auto post_op = post_op_of(user);
  if (!post_op || !nothing_is_written_between(tail.nodes.front(), user)) return;
  if (tail.other != nullptr && post_op->name != "relu") return;  // behind a sum, LibTorch has no other
  tail.post_op = *post_op;
  tail.activation = user;
  tail.nodes.push_back(user);
}

bool FastRoad::may_be_summed_into(Value* other, Node* sum) const {
  const auto sizes = [this](const Value* value) { return inputs::seen(observed_, value).sizes; };
  return other->node()->owningBlock() == graph_.block() && channels_last_.has(other) &&
         (own_.count(other) > 0 || ir::has_own_memory(other)) && sizes(other) &&
         sizes(sum->input(0)) == sizes(sum->input(1)) && ir::is_last_reader(other, sum);
}

void FastRoad::replace(const Tail& tail, Value* result) {
  Value* replaced = tail.last()->output();
  observed_[result->unique()] = inputs::seen(observed_, replaced);
  replaced->replaceAllUsesWith(result);
  for (auto node = tail.nodes.rbegin(); node != tail.nodes.rend(); ++node) {
    gone_.insert(*node);
    (*node)->destroy();
  }
}

Value* FastRoad::scalars(const Tail& tail) {
  std::vector<Value*> values;
  const torch::jit::WithInsertPoint guard(tail.last());
  for (const double scalar : tail.post_op.scalars) values.push_back(graph_.insertConstant(scalar));
  return graph_.insertNode(graph_.createList(c10::OptionalType::create(c10::NumberType::get()), values))->output();
}

Value* FastRoad::insert(Node* before, const char* op, const std::vector<NamedValue>& arguments) {
  const torch::jit::WithInsertPoint guard(before);
  Value* result = graph_.insert(c10::Symbol::fromQualString(op), arguments);
  result->node()->copyMetadata(before);
  return result;
}

}  // namespace fusekit::target
