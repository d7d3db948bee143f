#include "inputs/operator_hints.h"

#include <ATen/native/quantized/PackedParams.h>
#include <torch/csrc/jit/ir/constants.h>

namespace fusekit::inputs {
namespace {

using torch::jit::Node;
using torch::jit::Value;
using Shape = std::vector<std::int64_t>;

/// The attribute or constant behind a value; none where it is computed.
c10::IValue stored_value(const Value* value, const torch::jit::Module& self) {
  const Node* node = value->node();
  if (node->kind() == c10::prim::Constant) return torch::jit::toIValue(value).value_or(c10::IValue());
  if (node->kind() == c10::prim::Param) return value->type()->is_module() ? c10::IValue(self._ivalue()) : c10::IValue();
  if (node->kind() != c10::prim::GetAttr) return {};
  const c10::IValue owner = stored_value(node->input(), self);
  if (!owner.isObject()) return {};
  const std::string& name = node->s(c10::attr::name);
  const auto object = owner.toObject();
  return object->type()->hasAttribute(name) ? object->getAttr(name) : c10::IValue();
}

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

std::int64_t groups_of(const Node& node) {
  const auto groups = constant_input(node, "groups");
  return groups && groups->isInt() ? groups->toInt() : 1;
}

bool is_transposed(const Node& node) {
  if (std::string(node.kind().toUnqualString()).starts_with("conv_transpose")) return true;
  const auto flag = constant_input(node, "transposed");
  return flag && flag->isBool() && flag->toBool();
}

InputHint make_hint(InputHint::Kind kind, std::int64_t channels, const at::Tensor& weight) {
  InputHint hint;
  hint.kind = kind;
  hint.channels = channels;
  hint.dtype = weight.is_floating_point() ? weight.scalar_type() : at::kFloat;
  return hint;
}

std::optional<InputHint> convolution_hint(const Node& node, const torch::jit::Module& self) {
  const at::Tensor weight = weight_of(node.input(1), self);
  if (!weight.defined() || weight.dim() < 3 || weight.dim() > 5) return std::nullopt;
  const std::int64_t channels = is_transposed(node) ? weight.size(0) : weight.size(1) * groups_of(node);
  InputHint hint = make_hint(InputHint::Kind::convolution, channels, weight);
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

std::optional<InputHint> matrix_hint(const Node& node, std::size_t weight_at, bool transposed, bool matrix_only,
                                     const torch::jit::Module& self) {
  const at::Tensor weight = weight_of(node.input(weight_at), self);
  if (!weight.defined() || weight.dim() != 2) return std::nullopt;
  InputHint hint = make_hint(InputHint::Kind::linear, weight.size(transposed ? 1 : 0), weight);
  hint.matrix_only = matrix_only;
  return hint;
}

std::optional<InputHint> norm_hint(const Node& node, std::size_t statistic_at, const torch::jit::Module& self) {
  const at::Tensor statistic = weight_of(node.input(statistic_at), self);
  if (!statistic.defined() || statistic.dim() != 1) return std::nullopt;
  return make_hint(InputHint::Kind::normalization, statistic.size(0), statistic);
}

std::optional<InputHint> layer_norm_hint(const Node& node) {
  const auto shape = constant_ints(node, "normalized_shape");
  if (!shape || shape->empty()) return std::nullopt;
  InputHint hint;
  hint.kind = InputHint::Kind::linear;
  hint.channels = shape->back();
  return hint;
}

}  // namespace

std::optional<c10::IValue> constant_input(const Node& node, const char* name) {
  const auto* schema = node.maybeSchema();
  if (schema == nullptr) return std::nullopt;
  const auto index = schema->argumentIndexWithName(name);
  if (!index) return std::nullopt;
  return torch::jit::toIValue(node.input(static_cast<std::size_t>(*index)));
}

std::optional<Shape> constant_ints(const Node& node, const char* name) {
  const auto* schema = node.maybeSchema();
  if (schema == nullptr) return std::nullopt;
  const auto index = schema->argumentIndexWithName(name);
  if (!index) return std::nullopt;
  const Value* list = node.input(static_cast<std::size_t>(*index));
  if (const auto stored = torch::jit::toIValue(list))
    return stored->isIntList() ? std::optional(stored->toIntVector()) : std::nullopt;
  if (list->node()->kind() != c10::prim::ListConstruct) return std::nullopt;
  Shape numbers;
  for (const Value* element : list->node()->inputs()) {
    const auto number = torch::jit::toIValue(element);
    if (!number || !number->isInt()) return std::nullopt;
    numbers.push_back(number->toInt());
  }
  return numbers;
}

std::optional<InputHint> hint_of(const Node& node, std::size_t at, const torch::jit::Module& self) {
  const std::string name = node.kind().toUnqualString();
  if (node.kind().is_aten()) {
    if (at == 0 && (name.starts_with("conv") || name.starts_with("_convolution")) && node.inputs().size() > 2)
      return convolution_hint(node, self);
    if (at == 0 && name == "linear") return matrix_hint(node, 1, /*transposed=*/true, /*matrix_only=*/false, self);
    if (at == 1 && name == "addmm") return matrix_hint(node, 2, /*transposed=*/false, /*matrix_only=*/true, self);
    if (at == 0 && (name == "matmul" || name == "mm")) return matrix_hint(node, 1, false, name == "mm", self);
    if (at == 1 && (name == "embedding" || name == "embedding_bag")) {
      const at::Tensor weight = weight_of(node.input(0), self);
      if (!weight.defined()) return std::nullopt;
      InputHint hint = make_hint(InputHint::Kind::indices, weight.size(0), weight);
      hint.dtype = at::kLong;
      return hint;
    }
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
