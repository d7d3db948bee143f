#include "ir/operators/linear.h"

#include "ir/constants.h"

namespace fusekit::ir {
namespace {

/// The weight behind aten::t or aten::transpose(0, 1) of it; nullptr where `value` is neither.
Value* transposed_source(Value* value) {
  Node* node = value->node();
  if (is_operator(node, {"aten::t"})) return node->input(0);
  if (!is_operator(node, {"aten::transpose"})) return nullptr;
  const auto dim0 = constant_int(argument(node, "dim0"));
  const auto dim1 = constant_int(argument(node, "dim1"));
  const bool swaps = dim0 && dim1 && (*dim0 + 2) % 2 != (*dim1 + 2) % 2;
  return swaps ? node->input(0) : nullptr;
}

}  // namespace

std::optional<Linear> as_linear(Node* node) {
  if (is_operator(node, {"aten::linear"}))
    return Linear{node, argument(node, "input"), argument(node, "weight"), argument(node, "bias"), false};
  if (!is_operator(node, {"aten::addmm"}) || node->inputs().size() != 5) return std::nullopt;
  if (constant_number(argument(node, "beta")) != 1.0 || constant_number(argument(node, "alpha")) != 1.0)
    return std::nullopt;
  Value* weight = transposed_source(argument(node, "mat2"));
  if (weight == nullptr) return std::nullopt;
  return Linear{node, argument(node, "mat1"), weight, argument(node, "self"), true};
}

}  // namespace fusekit::ir
