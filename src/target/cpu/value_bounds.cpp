#include "target/cpu/value_bounds.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "ir/constants.h"
#include "ir/operators.h"

namespace fusekit::target {
namespace {

using ir::Interval;
using torch::jit::Node;
using torch::jit::Value;
using Bounds = std::optional<Interval>;

/// The elements of the first input, or some of them, and no others.
bool passes_elements_on(const Node* node) {
  return ir::is_operator(
      node, {"aten::to",        "aten::type_as",   "aten::contiguous", "aten::clone",       "aten::view",
             "aten::reshape",   "aten::unsqueeze", "aten::squeeze",    "aten::expand",      "aten::expand_as",
             "aten::transpose", "aten::permute",   "aten::slice",      "aten::select",      "aten::flatten",
             "aten::unflatten", "aten::embedding", "aten::index",      "aten::repeat",      "aten::float",
             "aten::detach",    "aten::alias",     "aten::narrow",     "aten::index_select"});
}

Bounds finite(const Interval& bounds) {
  return std::isfinite(bounds.low) && std::isfinite(bounds.high) ? Bounds(bounds) : std::nullopt;
}

Interval both(const Interval& a, const Interval& b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

Interval product(const Interval& a, const Interval& b) {
  const auto [low, high] = std::minmax({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
  return {low, high};
}

Bounds of_tensor(const at::Tensor& tensor) {
  if (tensor.numel() == 0 || tensor.is_complex() || tensor.is_quantized() || tensor.layout() != at::kStrided)
    return std::nullopt;
  const auto [low, high] = at::aminmax(tensor.to(at::kDouble));
  return finite({low.item<double>(), high.item<double>()});
}

Bounds of_dtype(at::ScalarType dtype) {
  if (dtype == at::kBool) return Interval{0, 1};
  if (!at::isIntegralType(dtype, /*includeBool=*/false)) return std::nullopt;
  return Interval{-std::ldexp(1.0, 64), std::ldexp(1.0, 64)};
}

class BoundsFinder {
 public:
  BoundsFinder(const ir::Program& program, const inputs::ObservedTensors& observed)
      : program_(program), observed_(observed) {}

  Bounds of(const Value* value, int depth = 0) const {
    if (depth > 50) return std::nullopt;
    if (const auto number = ir::constant_number(value)) return finite({*number, *number});
    if (!ir::is_tensor(value)) return std::nullopt;
    if (const auto tensor = ir::constant_tensor(program_, value)) return of_tensor(*tensor);
    if (const Bounds found = computed(const_cast<Node*>(value->node()), depth + 1)) return found;
    const auto dtype = inputs::seen(observed_, value).dtype;
    return dtype ? of_dtype(*dtype) : std::nullopt;
  }

 private:
  Bounds computed(Node* node, int depth) const {
    if (node->inputs().empty()) return std::nullopt;
    if (passes_elements_on(node)) return of(node->input(0), depth);
    if (ir::is_operator(node, {"aten::masked_fill"})) return of_either(node->input(0), node->input(2), depth);
    if (ir::is_operator(node, {"aten::where"}) && node->inputs().size() == 3)
      return of_either(node->input(1), node->input(2), depth);
    if (ir::is_operator(node, {"aten::zeros", "aten::zeros_like"})) return Interval{0, 0};
    if (ir::is_operator(node, {"aten::ones", "aten::ones_like"})) return Interval{1, 1};
    if (ir::is_operator(node, {"aten::neg"})) return combined(of(node->input(0), depth), Interval{-1, -1}, product);
    if (ir::is_operator(node, {"aten::rsub"})) return difference(node, node->input(1), node->input(0), depth);
    const auto arithmetic = ir::as_arithmetic(node);
    return arithmetic ? of_arithmetic(*arithmetic, depth) : std::nullopt;
  }

  Bounds of_arithmetic(const ir::Arithmetic& arithmetic, int depth) const {
    using Kind = ir::Arithmetic::Kind;
    if (arithmetic.kind == Kind::divide) return std::nullopt;
    if (arithmetic.kind == Kind::multiply) return combined(of(arithmetic.a, depth), of(arithmetic.b, depth), product);
    if (arithmetic.kind == Kind::subtract) return difference(arithmetic.node, arithmetic.a, arithmetic.b, depth);
    if (ir::constant_number(ir::argument(arithmetic.node, "alpha")) != 1.0) return std::nullopt;
    return combined(of(arithmetic.a, depth), of(arithmetic.b, depth), [](const Interval& a, const Interval& b) {
      return Interval{a.low + b.low, a.high + b.high};
    });
  }

  Bounds difference(Node* node, const Value* a, const Value* b, int depth) const {
    if (ir::constant_number(ir::argument(node, "alpha")) != 1.0) return std::nullopt;
    return combined(of(a, depth), of(b, depth), [](const Interval& x, const Interval& y) {
      return Interval{x.low - y.high, x.high - y.low};
    });
  }

  Bounds of_either(const Value* a, const Value* b, int depth) const {
    return combined(of(a, depth), of(b, depth), both);
  }

  template <typename Function>
  static Bounds combined(const Bounds& a, const Bounds& b, const Function& function) {
    return a && b ? finite(function(*a, *b)) : std::nullopt;
  }

  const ir::Program& program_;
  const inputs::ObservedTensors& observed_;
};

}  // namespace

Bounds value_bounds(const Value* value, const ir::Program& program, const inputs::ObservedTensors& observed) {
  return BoundsFinder(program, observed).of(value);
}

}  // namespace fusekit::target
