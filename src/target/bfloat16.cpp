#include "target/bfloat16.h"

#include <algorithm>
#include <set>

#include "ir/cleanup.h"
#include "ir/constants.h"
#include "ir/operators.h"
#include "ir/uses.h"
#include "target/cpu/packed_layer.h"
#include "target/cpu/product.h"
#include "target/idle_conversions.h"
#include "target/layouts.h"
#include "target/sample_run.h"

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

/// Does the node do no more than give its inputs out, or put them into a tuple or dict?
bool gives_out(const Node* node) {
  const auto kind = node->kind();
  return kind == c10::prim::Return || kind == c10::prim::TupleConstruct || kind == c10::prim::DictConstruct;
}

class Converter {
 public:
  Converter(ir::Program& program, ir::Graph& graph, const inputs::ObservedTensors& observed)
      : program_(program), graph_(graph), observed_(observed) {}

  void run() {
    const auto nodes = ir::all_nodes(graph_);
    for (Node* node : nodes) {
      if (!stays_float(node)) continue;
      in_float_.insert(node);
      still_float_.insert(result_of(node));
    }
    for (Node* node : nodes) {
      if (in_float_.count(node) > 0) {
        give_float(node);
        continue;
      }
      if (const auto layer = ir::as_layer(node); layer && convert(*layer)) continue;
      if (needs_float(node)) give_float(node);
    }
    for (Node* node : nodes)
      if (in_float_.count(node) > 0) leave_float(node);
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

  [[nodiscard]] bool stays_float(Node* node) const {
    const auto layer = ir::as_layer(node);
    const auto product = layer ? as_product(*layer, program_, observed_) : std::nullopt;
    return product && product->dtype == at::kFloat && is_faster_in_float(*product);
  }

  /// The result of a layer that stayed in float, with its activation.
  static Value* result_of(Node* layer) {
    Node* user = ir::only_user(layer->output());
    return user != nullptr && ir::as_activation(user) ? user->output() : layer->output();
  }

  /// It is bfloat16 again, where it is neither for the next layer that stayed in float nor what the graph gives out.
  void leave_float(Node* layer) {
    Value* result = result_of(layer);
    const Node* user = ir::only_user(result);
    if (user != nullptr && (in_float_.count(user) > 0 || gives_out(user))) return;
    Value* rounded = converted(result, result->node()->next(), at::kBFloat16);
    result->replaceAllUsesAfterNodeWith(rounded->node(), rounded);
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
      if (ir::constant_tensor(program_, node->input(i)) == std::nullopt && was_float(node->input(i)) &&
          still_float_.count(node->input(i)) == 0)
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
  std::set<const Node*> in_float_;              ///< layers that stay so
  std::set<const Value*> still_float_;          ///< what they make
  std::map<std::string, std::string> rounded_;  ///< key of a weight to that of the one in bfloat16
};

/// For a graph that does not run after that: a mask in float makes float of scores, and a product takes one dtype. What was
/// float in the run is bfloat16 for every product of two tensors.
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

}  // namespace

void compute_in_bfloat16(ir::Program& program, ir::Method& method, const file::Original& original,
                         const inputs::Sample& sample) {
  const inputs::ObservedTensors observed = observe(original, method, *method.graph, sample);
  Converter(program, *method.graph, observed).run();
  if (inputs::observed_tensors(original.fresh(), *method.graph, method.schema, sample).empty())
    multiply_in_bfloat16(*method.graph, observed);
  drop_certain_conversions(*method.graph, program);
  ir::remove_dead_code(*method.graph);  // the weights that it had are read no more
}

}  // namespace fusekit::target
