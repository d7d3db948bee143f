#include "ir/operators/activation.h"

#include <stdexcept>
#include <unordered_map>

#include "ir/constants.h"

namespace fusekit::ir {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::optional<Interval> between(std::optional<double> low, std::optional<double> high) {
  return low && high ? std::optional(Interval{*low, *high}) : std::nullopt;
}

/// A bound that may be left out.
std::optional<double> bound(const Value* value, double without) {
  return value == nullptr || is_none(value) ? without : constant_number(value);
}

std::optional<Interval> relu_bounds(Node*) { return Interval{0, kInfinity}; }
std::optional<Interval> relu6_bounds(Node*) { return Interval{0, 6}; }
std::optional<Interval> hardtanh_bounds(Node* node) {
  return between(constant_number(argument(node, "min_val")), constant_number(argument(node, "max_val")));
}
std::optional<Interval> clamp_bounds(Node* node) {
  return between(bound(argument(node, "min"), -kInfinity), bound(argument(node, "max"), kInfinity));
}

c10::Symbol symbol(const char* op) { return c10::Symbol::fromQualString(op); }

/// The kinds by their operator and by its in-place form.
const std::unordered_map<c10::Symbol, const ActivationKind*>& kinds_by_operator() {
  static const std::unordered_map<c10::Symbol, const ActivationKind*> kinds = [] {
    std::unordered_map<c10::Symbol, const ActivationKind*> map;
    for (const ActivationKind& kind : activation_kinds()) {
      map.emplace(kind.op, &kind);
      map.emplace(symbol((std::string(kind.op.toQualString()) + "_").c_str()), &kind);
    }
    return map;
  }();
  return kinds;
}

}  // namespace

const std::vector<ActivationKind>& activation_kinds() {
  // The sigmoid's tails are below half a level of 1/256 from 6.25 on, the tanh's of 2/256 from 3.12 on.
  static const std::vector<ActivationKind> kinds = {
      {symbol("aten::relu"), "ReLU", {0, kInfinity}, relu_bounds},
      {symbol("aten::relu6"), "ReLU6", {0, 6}, relu6_bounds},
      {symbol("aten::hardtanh"), "Hardtanh", {}, hardtanh_bounds},
      {symbol("aten::clamp"), "clamp", {}, clamp_bounds},
      {symbol("aten::clamp_min"), "clamp", {}, clamp_bounds},
      {symbol("aten::clamp_max"), "clamp", {}, clamp_bounds},
      {symbol("aten::hardswish"), "Hardswish", {-3, kInfinity}},
      {symbol("aten::hardsigmoid"), "Hardsigmoid", {-3, 3}, nullptr, false},
      {symbol("aten::silu"), "SiLU"},
      {symbol("aten::sigmoid"), "Sigmoid", {-6.5, 6.5}, nullptr, false},
      {symbol("aten::tanh"), "Tanh", {-3.25, 3.25}, nullptr, false},
      {symbol("aten::gelu"), "GELU"},
      {symbol("aten::mish"), "Mish"},
      {symbol("aten::elu"), "ELU"},
      {symbol("aten::selu"), "SELU"},
      {symbol("aten::celu"), "CELU"},
      {symbol("aten::leaky_relu"), "LeakyReLU"},
      {symbol("aten::prelu"), "PReLU"},
      {symbol("aten::softplus"), "Softplus", {}, nullptr, false},
  };
  return kinds;
}

const ActivationKind& activation_kind(const std::string& op) {
  for (const ActivationKind& kind : activation_kinds())
    if (op == kind.op.toQualString()) return kind;
  throw std::out_of_range("no activation is called " + op);
}

std::optional<Activation> as_activation(Node* node) {
  const auto found = kinds_by_operator().find(node->kind());
  if (found == kinds_by_operator().end() || node->maybeSchema() == nullptr) return std::nullopt;
  return Activation{node, node->input(0), found->second};
}

std::optional<Interval> clamped_to(Node* node) {
  const auto activation = as_activation(node);
  return activation && activation->kind->bounds != nullptr ? activation->kind->bounds(node) : std::nullopt;
}

Interval sensitive_interval(Node* node) {
  const auto activation = as_activation(node);
  if (!activation) return {};
  return clamped_to(node).value_or(activation->kind->sensitive);
}

}  // namespace fusekit::ir
