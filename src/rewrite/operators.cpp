#include "rewrite/operators.h"

#include <torch/csrc/jit/ir/constants.h>

#include <string>

namespace fusekit::rewrite {
namespace {

std::string name_of(const Node* node) { return node->kind().toQualString(); }

std::optional<c10::IValue> constant(Node* node, const char* input) {
  return torch::jit::toIValue(node->namedInput(input));
}

std::optional<std::int64_t> constant_int(Node* node, const char* input) {
  const auto value = constant(node, input);
  return value && value->isInt() ? std::optional(value->toInt()) : std::nullopt;
}

std::optional<bool> constant_bool(Node* node, const char* input) {
  const auto value = constant(node, input);
  return value && value->isBool() ? std::optional(value->toBool()) : std::nullopt;
}

/// Is it a convolution by name? The value: does the name say that it is transposed (nullopt: an input says so)?
struct ConvolutionName {
  bool matches = false;
  std::optional<bool> transposed;
};

ConvolutionName convolution_name(const Node* node) {
  const std::string name = name_of(node);
  if (name == "aten::conv1d" || name == "aten::conv2d" || name == "aten::conv3d" || name == "aten::_convolution_mode")
    return {true, false};
  if (name == "aten::conv_transpose1d" || name == "aten::conv_transpose2d" || name == "aten::conv_transpose3d")
    return {true, true};
  if (name == "aten::_convolution" || name == "aten::convolution") return {true, std::nullopt};
  return {};
}

/// The weight behind aten::t or aten::transpose(0, 1) of it; nullptr where `value` is neither.
Value* transposed_source(Value* value) {
  Node* node = value->node();
  if (name_of(node) == "aten::t") return node->input(0);
  if (name_of(node) != "aten::transpose" || !node->maybeSchema()) return nullptr;
  const auto dim0 = constant_int(node, "dim0");
  const auto dim1 = constant_int(node, "dim1");
  const bool swaps = dim0 && dim1 && (*dim0 + 2) % 2 != (*dim1 + 2) % 2;
  return swaps ? node->input(0) : nullptr;
}

bool is_one(Node* node, const char* input) {
  const auto value = constant(node, input);
  return value && value->isScalar() && value->toScalar().toDouble() == 1.0;
}

}  // namespace

std::optional<Convolution> as_convolution(Node* node) {
  const ConvolutionName name = convolution_name(node);
  if (!name.matches || node->maybeSchema() == nullptr) return std::nullopt;
  const auto transposed = name.transposed ? name.transposed : constant_bool(node, "transposed");
  const auto groups = constant_int(node, "groups");
  if (!transposed || !groups) return std::nullopt;
  return Convolution{
      node, node->namedInput("input"), node->namedInput("weight"), node->namedInput("bias"), *groups, *transposed};
}

std::optional<Linear> as_linear(Node* node) {
  if (node->maybeSchema() == nullptr) return std::nullopt;
  if (name_of(node) == "aten::linear")
    return Linear{node, node->namedInput("input"), node->namedInput("weight"), node->namedInput("bias"), false};
  if (name_of(node) != "aten::addmm" || node->inputs().size() != 5 || !is_one(node, "beta") || !is_one(node, "alpha"))
    return std::nullopt;
  Value* weight = transposed_source(node->namedInput("mat2"));
  if (weight == nullptr) return std::nullopt;
  return Linear{node, node->namedInput("mat1"), weight, node->namedInput("self"), true};
}

std::optional<BatchNorm> as_batch_norm(Node* node) {
  if (name_of(node) != "aten::batch_norm" || node->maybeSchema() == nullptr) return std::nullopt;
  const auto eps = constant(node, "eps");
  return BatchNorm{node,
                   node->namedInput("input"),
                   node->namedInput("weight"),
                   node->namedInput("bias"),
                   node->namedInput("running_mean"),
                   node->namedInput("running_var"),
                   constant_bool(node, "training"),
                   eps && eps->isDouble() ? std::optional(eps->toDouble()) : std::nullopt};
}

bool is_convolution(Node* node) {
  const auto convolution = as_convolution(node);
  return convolution && !convolution->transposed;
}

bool is_transposed_convolution(Node* node) {
  const auto convolution = as_convolution(node);
  return convolution && convolution->transposed;
}

bool is_linear(Node* node) { return as_linear(node).has_value(); }

bool is_batch_norm(Node* node) { return as_batch_norm(node).has_value(); }

bool is_relu(Node* node) { return node->kind() == c10::aten::relu || name_of(node) == "aten::relu_"; }

Value* data_input(Node* node) {
  if (const auto convolution = as_convolution(node)) return convolution->input;
  if (const auto linear = as_linear(node)) return linear->input;
  if (const auto batch_norm = as_batch_norm(node)) return batch_norm->input;
  return is_relu(node) ? node->input(0) : nullptr;
}

}  // namespace fusekit::rewrite
