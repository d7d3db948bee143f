#include "target/cpu/post_op.h"

#include <cmath>

#include "ir/constants.h"
#include "ir/operators/activation.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;

std::optional<PostOp> clamping(const ir::Interval& bounds) {
  if (bounds.low == 0 && std::isinf(bounds.high)) return PostOp{"relu", {}, {}};
  if (std::isinf(bounds.low) || std::isinf(bounds.high)) return std::nullopt;
  return PostOp{"hardtanh", {bounds.low, bounds.high}, {}};
}

std::optional<PostOp> gelu(Node* node) {
  const auto approximation = ir::constant_string(ir::argument(node, "approximate"));
  return approximation ? std::optional(PostOp{"gelu", {}, *approximation}) : std::nullopt;
}

std::optional<PostOp> leaky_relu(Node* node) {
  const auto slope = ir::constant_number(ir::argument(node, "negative_slope"));
  return slope ? std::optional(PostOp{"leaky_relu", {*slope}, {}}) : std::nullopt;
}

}  // namespace

std::optional<PostOp> post_op_of(Node* node) {
  const auto activation = ir::as_activation(node);
  if (!activation) return std::nullopt;
  if (const auto bounds = ir::clamped_to(node)) return clamping(*bounds);
  const std::string op = activation->kind->op.toUnqualString();
  if (op == "gelu") return gelu(node);
  if (op == "leaky_relu") return leaky_relu(node);
  if (op == "silu") return PostOp{"swish", {}, {}};
  if (op == "hardswish" || op == "hardsigmoid" || op == "sigmoid" || op == "tanh") return PostOp{op, {}, {}};
  return std::nullopt;
}

}  // namespace fusekit::target
