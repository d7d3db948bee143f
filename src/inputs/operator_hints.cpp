#include "inputs/operator_hints.h"

#include <ATen/native/quantized/PackedParams.h>

#include "ir/operators.h"

namespace fusekit::inputs {
namespace {

using torch::jit::Node;
using torch::jit::Value;

/// The weight behind a value, through transposes; through anything else as if it kept the shape (weight normalization).
at::Tensor weight_of(const Value* value, const torch::jit::Module& self, int depth = 0) {
  const c10::IValue stored = stored_value(value, self);
  if (stored.isTensor()) return stored.toTensor();
  const Node* node = value->node();
  if (depth > 16 || node->inputs().empty() || !node->kind().is_aten()) return {};
  const at::Tensor below = weight_of(node->input(0), self, depth + 1);
  const bool swaps = node->kind() == c10::aten::t || node->kind() == c10::aten::transpose;
  return below.defined() && swaps && below.dim() == 2 ? below.t() : below;
}

InputHint make_hint(InputHint::Kind kind, std::int64_t channels, const at::Tensor& weight) {
  InputHint hint;
  hint.kind = kind;
  hint.channels = channels;
  hint.dtype = weight.is_floating_point() ? weight.scalar_type() : at::kFloat;
  return hint;
}

std::optional<InputHint> convolution_hint(const ir::Convolution& convolution, const torch::jit::Module& self) {
  const at::Tensor weight = weight_of(convolution.weight, self);
  if (!weight.defined() || weight.dim() < 3 || weight.dim() > 5) return std::nullopt;
  InputHint hint = make_hint(InputHint::Kind::convolution, ir::input_channels(convolution, weight), weight);
  hint.spatial = static_cast<int>(weight.dim()) - 2;
  return hint;
}

template <int kSpatial>
InputHint quantized_convolution(const c10::IValue& packed) {
  const auto params = packed.toCustomClass<ConvPackedParamsBase<kSpatial>>();
  const at::Tensor weight = std::get<0>(params->unpack());
  InputHint hint = make_hint(InputHint::Kind::convolution, weight.size(1) * params->groups(), weight);
  hint.spatial = kSpatial;
  return hint;
}

std::optional<InputHint> quantized_hint(const Node& node, const std::string& name, const torch::jit::Module& self) {
  const c10::IValue packed = stored_value(node.input(1), self);
  if (!packed.isObject()) return std::nullopt;
  try {
    if (name.starts_with("conv1d") || name.starts_with("conv2d")) {
      InputHint hint = quantized_convolution<2>(packed);  // a 1-D weight is packed as a 2-D one
      if (name.starts_with("conv1d")) hint.spatial = 1;
      return hint;
    }
    if (name.starts_with("conv3d")) return quantized_convolution<3>(packed);
    if (name.starts_with("linear")) {
      const at::Tensor weight = std::get<0>(packed.toCustomClass<LinearPackedParamsBase>()->unpack());
      return make_hint(InputHint::Kind::linear, weight.size(1), weight);
    }
  } catch (const std::exception&) {  // an engine that this LibTorch lacks: there is no hint then
  }
  return std::nullopt;
}

/// lstm and its like: (input, hidden state, weights, ...).
std::optional<InputHint> recurrent_hint(const Node& node, const torch::jit::Module& self) {
  if (node.inputs().size() < 3 || node.input(2)->node()->kind() != c10::prim::ListConstruct) return std::nullopt;
  const at::Tensor weight = weight_of(node.input(2)->node()->input(0), self);
  if (!weight.defined() || weight.dim() != 2) return std::nullopt;
  return make_hint(InputHint::Kind::recurrent, weight.size(1), weight);
}

std::optional<InputHint> matrix_hint(const Node& node, std::size_t weight_at, bool matrix_only,
                                     const torch::jit::Module& self) {
  const at::Tensor weight = weight_of(node.input(weight_at), self);
  if (!weight.defined() || weight.dim() != 2) return std::nullopt;
  InputHint hint = make_hint(InputHint::Kind::linear, weight.size(0), weight);
  hint.matrix_only = matrix_only;
  return hint;
}

std::optional<InputHint> norm_hint(const Node& node, std::size_t statistic_at, const torch::jit::Module& self) {
  const at::Tensor statistic = weight_of(node.input(statistic_at), self);
  if (!statistic.defined() || statistic.dim() != 1) return std::nullopt;
  return make_hint(InputHint::Kind::normalization, statistic.size(0), statistic);
}

std::optional<InputHint> linear_hint(const ir::Linear& linear, const torch::jit::Module& self) {
  const at::Tensor weight = weight_of(linear.weight, self);
  if (!weight.defined() || weight.dim() != 2) return std::nullopt;
  InputHint hint = make_hint(InputHint::Kind::linear, weight.size(1), weight);
  hint.matrix_only = linear.is_addmm;
  return hint;
}

std::optional<InputHint> layer_norm_hint(const Node& node) {
  const auto shape = ir::constant_ints(ir::argument(&node, "normalized_shape"));
  if (!shape || shape->empty()) return std::nullopt;
  InputHint hint;
  hint.kind = InputHint::Kind::linear;
  hint.channels = shape->back();
  return hint;
}

std::optional<InputHint> embedding_hint(const Node& node, const torch::jit::Module& self) {
  const at::Tensor weight = weight_of(node.input(0), self);
  if (!weight.defined()) return std::nullopt;
  InputHint hint = make_hint(InputHint::Kind::indices, weight.size(0), weight);
  hint.dtype = at::kLong;
  return hint;
}

}  // namespace

c10::IValue stored_value(const Value* value, const torch::jit::Module& self) {
  const Node* node = value->node();
  if (node->kind() == c10::prim::Constant) return ir::constant(value).value_or(c10::IValue());
  if (node->kind() == c10::prim::Param) return value->type()->is_module() ? c10::IValue(self._ivalue()) : c10::IValue();
  if (node->kind() != c10::prim::GetAttr) return {};
  const c10::IValue owner = stored_value(node->input(), self);
  if (!owner.isObject()) return {};
  const std::string& name = node->s(c10::attr::name);
  const auto object = owner.toObject();
  return object->type()->hasAttribute(name) ? object->getAttr(name) : c10::IValue();
}

std::optional<InputHint> hint_of(Node& node, std::size_t at, const torch::jit::Module& self) {
  const std::string name = node.kind().toUnqualString();
  if (const auto convolution = ir::as_convolution(&node))
    return at == 0 ? convolution_hint(*convolution, self) : std::nullopt;
  if (const auto linear = ir::as_linear(&node))
    return node.input(at) == linear->input ? linear_hint(*linear, self) : std::nullopt;
  if (node.kind().is_aten()) {
    if (at == 1 && name == "addmm") return matrix_hint(node, 2, /*matrix_only=*/true, self);
    if (at == 0 && (name == "matmul" || name == "mm")) return matrix_hint(node, 1, name == "mm", self);
    if (at == 1 && (name == "embedding" || name == "embedding_bag")) return embedding_hint(node, self);
    if (at == 0 && (name == "lstm" || name == "gru" || name == "rnn_tanh" || name == "rnn_relu"))
      return recurrent_hint(node, self);
    if (at == 0 && (name == "batch_norm" || name == "instance_norm")) return norm_hint(node, 3, self);
    if (at == 0 && name == "group_norm") return norm_hint(node, 2, self);
    if (at == 0 && name == "layer_norm") return layer_norm_hint(node);
  }
  if (at == 0 && std::string(node.kind().ns().toUnqualString()) == "quantized" && node.inputs().size() > 1)
    return quantized_hint(node, name, self);
  return std::nullopt;
}

}  // namespace fusekit::inputs
