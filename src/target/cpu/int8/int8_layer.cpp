#include "target/cpu/int8/int8_layer.h"

#include "ir/constants.h"
#include "ir/uses.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;
using torch::jit::Value;

std::optional<std::vector<std::int64_t>> sizes_of(const inputs::ObservedTensors& observed, const Value* value) {
  return inputs::seen(observed, value).sizes;
}

/// Takes in what stands behind a layer.
class Tail {
 public:
  Tail(Int8Layer& layer, const inputs::ObservedTensors& observed, const std::set<const Node*>& taken)
      : layer_(layer), observed_(observed), taken_(taken) {}

  void take_in() {
    const bool is_free = layer_.activation == "none" && !layer_.weights.is_linear();
    if (is_free && (take_sum() || take_hardswish() || take_silu())) return;
    if (is_next({"aten::dequantize"})) take();
  }

 private:
  [[nodiscard]] Value* output() const { return layer_.last()->output(); }

  /// What alone reads what there is so far, and may be taken in; nullptr: there is none.
  [[nodiscard]] Node* next() const {
    Node* user = ir::only_user(output());
    const bool is_free = user != nullptr && taken_.count(user) == 0;
    return is_free && user->owningBlock() == layer_.first()->owningBlock() ? user : nullptr;
  }

  [[nodiscard]] bool is_next(std::initializer_list<std::string_view> names) const {
    const Node* node = next();
    return node != nullptr && ir::is_operator(node, names);
  }

  void take() {
    layer_.nodes.push_back(next());
    layer_.output = levels_of(output());
  }

  bool take_hardswish() {
    if (!is_next({"quantized::hardswish"}) || !levels_of(next()->output())) return false;
    take();
    layer_.activation = "hardswish";
    return true;
  }

  bool take_silu() {
    if (!is_next({"aten::dequantize"})) return false;
    const Node* user = ir::only_user(next()->output());
    if (user == nullptr || !ir::is_operator(user, {"aten::silu"})) return false;
    take();
    take();
    layer_.activation = "swish";
    if (is_next({"aten::quantize_per_tensor"}) && levels_of(next()->output())) take();
    return true;
  }

  /// The sum with a tensor of the same size and known levels, and the ReLU behind it.
  bool take_sum() {
    if (!is_next({"quantized::add", "quantized::add_relu"}) || next()->inputs().size() != 4) return false;
    Value* other = next()->input(next()->input(0) == output() ? 1 : 0);
    const auto levels = levels_of(other);
    const auto sizes = sizes_of(observed_, other);
    if (!levels || !levels_of(next()->output()) || !sizes || sizes != sizes_of(observed_, output())) return false;
    take();
    layer_.other = other;
    layer_.other_levels = *levels;
    if (ir::is_operator(layer_.last(), {"quantized::add_relu"})) layer_.activation = "relu";
    return true;
  }

  Int8Layer& layer_;
  const inputs::ObservedTensors& observed_;
  const std::set<const Node*>& taken_;
};

}  // namespace

std::optional<Int8Layer> as_int8_layer(Node* node, const ir::Program& program, const inputs::ObservedTensors& observed,
                                       const std::set<const Node*>& taken) {
  if (!ir::is_operator(node,
                       {"quantized::conv2d", "quantized::conv2d_relu", "quantized::linear", "quantized::linear_relu"}))
    return std::nullopt;
  const auto weights = int8_weights(program, node->input(1));
  const auto levels = levels_of(node->input(0));
  const auto sizes = sizes_of(observed, node->input(0));
  if (!weights || !levels || !sizes || !levels_of(node->output()) || !sizes_of(observed, node->output()))
    return std::nullopt;
  if (sizes->size() != static_cast<std::size_t>(weights->weight.dim())) return std::nullopt;
  Int8Layer layer;
  layer.nodes = {node};
  layer.weights = taken_apart(*weights).value_or(*weights);
  layer.input = *levels;
  layer.input_sizes = *sizes;
  layer.output = levels_of(node->output());
  if (ir::is_operator(node, {"quantized::conv2d_relu", "quantized::linear_relu"})) layer.activation = "relu";
  Tail(layer, observed, taken).take_in();
  return layer;
}

}  // namespace fusekit::target
