#include "inputs/input_hints.h"

#include <torch/csrc/jit/passes/inliner.h>

#include <deque>
#include <unordered_set>

#include "inputs/operator_hints.h"
#include "ir/operators.h"
#include "ir/program.h"

namespace fusekit::inputs {
namespace {

using torch::jit::Node;
using torch::jit::Value;
using Shape = std::vector<std::int64_t>;

bool holds_tensors(const Value& value) {
  return value.type()->isSubtypeOf(*c10::TensorType::get()) || value.type()->kind() == c10::TypeKind::ListType ||
         value.type()->kind() == c10::TypeKind::TupleType || value.type()->kind() == c10::TypeKind::OptionalType;
}

/// Where a value goes through `node`: its outputs, or what a block's end or a loop's start makes of it.
std::vector<const Value*> values_after(const Node& node, std::size_t at) {
  std::vector<const Value*> after;
  if (node.kind() == c10::prim::Return) {
    const Node* owner = node.owningBlock()->owningNode();
    const std::size_t skip = owner && owner->kind() == c10::prim::Loop ? 1 : 0;  // a body's first result: go on?
    if (owner && at >= skip && at - skip < owner->outputs().size()) after.push_back(owner->outputs()[at - skip]);
  } else if (node.kind() == c10::prim::Loop) {
    if (at >= 2) after.push_back(node.blocks()[0]->inputs()[at - 1]);
  } else {
    for (const Value* output : node.outputs())
      if (holds_tensors(*output)) after.push_back(output);
  }
  return after;
}

bool is_flattening(const Node& node) {
  const auto kind = node.kind();
  return kind == c10::aten::view || kind == c10::aten::reshape || kind == c10::aten::flatten ||
         kind == c10::aten::unfold;
}

/// Follows a value forwards, nearest first, to an operator that says what it takes.
std::optional<InputHint> nearest_hint(const Value* start, const torch::jit::Module& self) {
  struct Step {
    const Value* value;
    std::vector<const Node*> path;
  };
  std::deque<Step> queue{{start, {}}};
  std::unordered_set<const Value*> seen{start};
  while (!queue.empty()) {
    const Step step = queue.front();
    queue.pop_front();
    if (step.path.size() > 200) continue;  // by now the rank is anything
    for (const torch::jit::Use& use : step.value->uses()) {
      if (auto hint = hint_of(*use.user, use.offset, self)) {
        hint->path = step.path;
        hint->flattened =
            std::any_of(step.path.begin(), step.path.end(), [](const Node* n) { return is_flattening(*n); });
        return hint;
      }
      for (const Value* after : values_after(*use.user, use.offset)) {
        if (!seen.insert(after).second) continue;
        queue.push_back({after, step.path});
        queue.back().path.push_back(use.user);
      }
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> dimension(const Node& node, const char* name, std::size_t rank) {
  const auto value = ir::constant_int(ir::argument(&node, name));
  if (!value) return std::nullopt;
  const std::int64_t dim = *value < 0 ? *value + static_cast<std::int64_t>(rank) : *value;
  if (dim < 0 || dim >= static_cast<std::int64_t>(rank)) return std::nullopt;
  return dim;
}

/// The shape that `node` was given, where `shape` is what it gives.
std::optional<Shape> before(const Node& node, Shape shape) {
  const auto kind = node.kind();
  if (kind == c10::aten::permute) {
    const auto dims = ir::constant_ints(ir::argument(&node, "dims"));
    if (!dims || dims->size() != shape.size()) return std::nullopt;
    Shape earlier(shape.size());
    const auto rank = static_cast<std::int64_t>(shape.size());
    for (std::size_t k = 0; k < shape.size(); ++k)
      earlier.at(static_cast<std::size_t>(((*dims)[k] + rank) % rank)) = shape[k];
    return earlier;
  }
  if (kind == c10::aten::transpose) {
    const auto a = dimension(node, "dim0", shape.size());
    const auto b = dimension(node, "dim1", shape.size());
    if (!a || !b) return std::nullopt;
    std::swap(shape[static_cast<std::size_t>(*a)], shape[static_cast<std::size_t>(*b)]);
  } else if (kind == c10::aten::unsqueeze) {
    const auto dim = dimension(node, "dim", shape.size());
    if (!dim) return std::nullopt;
    shape.erase(shape.begin() + *dim);
  } else if (kind == c10::aten::select) {
    const auto dim = dimension(node, "dim", shape.size() + 1);
    if (!dim) return std::nullopt;
    shape.insert(shape.begin() + *dim, 3);  // one of some: mostly a picture's channel
  } else if (kind == c10::aten::squeeze && node.inputs().size() == 2) {
    const auto dim = dimension(node, "dim", shape.size() + 1);
    if (!dim) return std::nullopt;
    shape.insert(shape.begin() + *dim, 1);
  }
  return shape;
}

}  // namespace

std::optional<Shape> undo_path(const InputHint& hint, Shape shape) {
  std::optional<Shape> current = std::move(shape);
  for (auto node = hint.path.rbegin(); node != hint.path.rend() && current; ++node)
    current = before(**node, std::move(*current));
  return current;
}

HintedGraph::HintedGraph(const torch::jit::Module& module, const std::string& method)
    : module_(module), graph_(module.get_method(method).graph()->copy()) {
  torch::jit::Inline(*graph_);
  // Settings that a module holds ("self.groups") count as constants.
  for (Node* node : ir::all_nodes(*graph_)) {
    if (node->kind() != c10::prim::GetAttr) continue;
    const c10::IValue value = stored_value(node->output(), module_);
    if (!value.isInt() && !value.isIntList() && !value.isBool() && !value.isDouble() && !value.isString()) continue;
    const torch::jit::WithInsertPoint guard(node);
    node->output()->replaceAllUsesWith(graph_->insertConstant(value));
  }
}

std::optional<InputHint> HintedGraph::hint(std::size_t k) const {
  return nearest_hint(graph_->inputs().at(k + 1), module_);
}

std::optional<InputHint> HintedGraph::first_hint() const {
  std::optional<InputHint> first;
  for (Node* node : ir::all_nodes(*graph_))
    for (std::size_t at = 0; at < node->inputs().size() && at < 2 && !first; ++at) first = hint_of(*node, at, module_);
  return first;
}

std::int64_t HintedGraph::embedding_rows() const {
  std::int64_t rows = 0;
  for (Node* node : ir::all_nodes(*graph_)) {
    if (!ir::is_operator(node, {"aten::embedding", "aten::embedding_bag"})) continue;
    if (const auto hint = hint_of(*node, 1, module_))
      rows = rows == 0 ? hint->channels : std::min(rows, hint->channels);
  }
  return rows;
}

}  // namespace fusekit::inputs
