#include "target/idle_conversions.h"

#include <algorithm>
#include <unordered_map>

#include "ir/constants.h"
#include "ir/operators.h"
#include "target/layouts.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;
using torch::jit::Value;

/// Operators that give their first input in another shape, in parts or one of its parts.
bool reshapes(const Node* node) {
  return ir::is_operator(
      node, {"aten::flatten", "aten::reshape", "aten::view", "aten::permute", "aten::transpose", "aten::contiguous",
             "aten::squeeze", "aten::unsqueeze", "aten::slice", "aten::select", "aten::narrow", "aten::constant_pad_nd",
             "aten::pad", "aten::chunk", "aten::split", "aten::__getitem__"});
}

/// Dtypes that values certainly have.
class CertainTypes {
 public:
  explicit CertainTypes(const ir::Program& program) : program_(program) {}

  [[nodiscard]] std::optional<at::ScalarType> of(const Value* value) const {
    const auto known = types_.find(value);
    return known == types_.end() ? std::nullopt : std::optional(known->second);
  }

  /// Notes that of a node's output, of which it is told those of the inputs before.
  void visit(Node* node) {
    if (node->outputs().size() != 1) return;
    if (const auto type = type_made_by(node)) types_.emplace(node->output(), *type);
  }

 private:
  [[nodiscard]] std::optional<at::ScalarType> type_made_by(Node* node) const {
    if (const auto layer = ir::as_layer(node)) {
      const auto weight = ir::constant_tensor(program_, layer->weight);  // a layer takes one dtype alone
      return weight ? std::optional(weight->scalar_type()) : std::nullopt;
    }
    if (const auto conversion = ir::as_conversion(node)) return conversion->dtype;
    if (const auto concat = ir::as_concat(node)) return common(concat->parts());
    if (const auto arithmetic = ir::as_arithmetic(node)) {
      if (arithmetic->of_tensors()) return common({arithmetic->a, arithmetic->b});
      const auto type = of(arithmetic->a);  // with a number an integer may become a float
      return type && at::isFloatingType(*type) ? type : std::nullopt;
    }
    return keeps_layout(node) || reshapes(node) ? of(node->input(0)) : std::nullopt;
  }

  /// That of all of them.
  [[nodiscard]] std::optional<at::ScalarType> common(const std::vector<Value*>& values) const {
    const auto first = values.empty() ? std::nullopt : of(values.front());
    return std::all_of(values.begin(), values.end(), [&](const Value* value) { return of(value) == first; })
               ? first
               : std::nullopt;
  }

  const ir::Program& program_;
  std::unordered_map<const Value*, at::ScalarType> types_;
};

}  // namespace

void drop_idle_conversions(ir::Graph& graph, const inputs::ObservedTensors& observed) {
  for (Node* node : ir::all_nodes(graph)) {
    const auto conversion = ir::as_conversion(node);
    if (conversion && inputs::seen(observed, conversion->input).dtype == conversion->dtype)
      node->output()->replaceAllUsesWith(conversion->input);
  }
}

void drop_certain_conversions(ir::Graph& graph, const ir::Program& program) {
  CertainTypes types(program);
  for (Node* node : ir::all_nodes(graph)) {
    const auto conversion = ir::as_conversion(node);
    if (conversion && types.of(conversion->input) == conversion->dtype)
      node->output()->replaceAllUsesWith(conversion->input);
    else
      types.visit(node);
  }
}

}  // namespace fusekit::target
