#include "target/cpu/bfloat16.h"

#include <algorithm>

#include "ir/constants.h"
#include "ir/operators.h"
#include "target/cpu/channels_last.h"
#include "target/cpu/packed_layer.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;
using torch::jit::Value;

Value* converted(Value* value, Node* before, at::ScalarType dtype) {
  torch::jit::Graph& graph = *before->owningGraph();
  const torch::jit::WithInsertPoint guard(before);
  Value* result = graph.insert(c10::aten::to, {value, static_cast<std::int64_t>(dtype)});
  result->node()->copyMetadata(before);
  return result;
}

bool was_float_in(const Value* value, const inputs::ObservedTensors& observed) {
  return inputs::seen(observed, value).dtype == at::kFloat;
}

class Converter {
 public:
  Converter(ir::Program& program, ir::Graph& graph, const inputs::ObservedTensors& observed)
      : program_(program), graph_(graph), observed_(observed) {}

  void run() {
    for (Node* node : ir::all_nodes(graph_)) {
      if (const auto layer = ir::as_layer(node); layer && convert(*layer)) continue;
      if (needs_float(node)) give_float(node);
    }
    give_back();
  }

 private:
  bool convert(const ir::Layer& layer) {
    if (!has_constant_weights(layer, program_)) return false;
    if (ir::constant_tensor(program_, layer.weight)->scalar_type() != at::kFloat) return false;
    for (Value* value : {layer.weight, layer.bias})
      if (value != nullptr && !ir::is_none(value)) layer.node->replaceInputWith(value, rounded(value, layer.node));
    layer.node->replaceInputWith(layer.input, converted(layer.input, layer.node, at::kBFloat16));
    return true;
  }

  /// The weight in bfloat16, under the same path; each is made once.
  Value* rounded(Value* value, Node* before) {
    const auto key = ir::weight_key(value);
    const at::Tensor tensor = ir::constant_tensor(program_, value)->to(at::kBFloat16);
    if (!key) return ir::add_weight(program_, before, "", tensor, nullptr);
    if (const auto known = rounded_.find(*key); known != rounded_.end())
      return ir::insert_weight(program_, before, known->second);
    const ir::Weight weight = program_.weights.at(*key);
    Value* result = ir::add_weight(program_, before, weight.path, tensor, &weight);
    rounded_.emplace(*key, *ir::weight_key(result));
    return result;
  }

  /// Does the operator take weights, and no inputs of another dtype than theirs?
  [[nodiscard]] bool needs_float(const Node* node) const {
    if (!node->kind().is_aten() || !node->blocks().empty()) return false;
    if (ir::is_operator(node, {"aten::layer_norm", "aten::batch_norm", "aten::group_norm", "aten::instance_norm"}))
      return false;
    if (ir::as_arithmetic(const_cast<Node*>(node))) return false;
    return std::any_of(node->inputs().begin(), node->inputs().end(), [&](const Value* input) {
      const auto tensor = ir::constant_tensor(program_, input);
      return tensor && tensor->is_floating_point() && tensor->dim() > 0;
    });
  }

  /// Everything that was float in the run is float again for this operator.
  void give_float(Node* node) {
    for (std::size_t i = 0; i < node->inputs().size(); ++i)
      if (ir::constant_tensor(program_, node->input(i)) == std::nullopt && was_float(node->input(i)))
        node->replaceInput(i, converted(node->input(i), node, at::kFloat));
  }

  void give_back() {
    for (const auto& [taker, place] : places_of_outputs(graph_))
      if (was_float(taker->input(place))) taker->replaceInput(place, converted(taker->input(place), taker, at::kFloat));
  }

  [[nodiscard]] bool was_float(const Value* value) const { return was_float_in(value, observed_); }

  ir::Program& program_;
  ir::Graph& graph_;
  const inputs::ObservedTensors& observed_;
  std::map<std::string, std::string> rounded_;  ///< key of a weight to that of the one in bfloat16
};

}  // namespace

void multiply_in_bfloat16(ir::Graph& graph, const inputs::ObservedTensors& observed) {
  for (Node* node : ir::all_nodes(graph)) {
    if (!ir::is_operator(node, {"aten::matmul", "aten::mm", "aten::bmm", "aten::baddbmm", "aten::addmm",
                                "aten::scaled_dot_product_attention"}))
      continue;
    if (inputs::seen(observed, node->output()).dtype != at::kFloat) continue;
    for (std::size_t i = 0; i < node->inputs().size(); ++i)
      if (was_float_in(node->input(i), observed)) node->replaceInput(i, converted(node->input(i), node, at::kBFloat16));
  }
}

void compute_in_bfloat16(ir::Program& program, ir::Graph& graph, const inputs::ObservedTensors& observed) {
  Converter(program, graph, observed).run();
}

}  // namespace fusekit::target
