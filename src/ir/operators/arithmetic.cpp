#include "ir/operators/arithmetic.h"

#include "ir/constants.h"

namespace fusekit::ir {

bool Arithmetic::of_tensors() const { return is_tensor(a) && is_tensor(b); }

std::optional<Arithmetic> as_arithmetic(Node* node) {
  using Kind = Arithmetic::Kind;
  const auto view = [&](Kind kind) { return Arithmetic{node, kind, node->input(0), node->input(1)}; };
  if (node->inputs().size() < 2 || !is_tensor(node->input(0))) return std::nullopt;
  if (is_operator(node, {"aten::add", "aten::add_"})) return view(Kind::add);
  if (is_operator(node, {"aten::sub", "aten::sub_"})) return view(Kind::subtract);
  if (is_operator(node, {"aten::mul", "aten::mul_"})) return view(Kind::multiply);
  if (is_operator(node, {"aten::div", "aten::div_"})) return view(Kind::divide);
  return std::nullopt;
}

bool is_plain_sum(Node* node) {
  const auto sum = as_arithmetic(node);
  return sum && sum->kind == Arithmetic::Kind::add && sum->of_tensors() &&
         constant_number(argument(node, "alpha")) == 1.0;
}

std::vector<Value*> Concat::parts() const { return {list->inputs().begin(), list->inputs().end()}; }

std::optional<Concat> as_concat(Node* node) {
  if (!is_operator(node, {"aten::cat"}) || node->input(0)->node()->kind() != c10::prim::ListConstruct)
    return std::nullopt;
  return Concat{node, node->input(0)->node(), constant_int(argument(node, "dim"))};
}

}  // namespace fusekit::ir
