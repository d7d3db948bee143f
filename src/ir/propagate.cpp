#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/lower_tuples.h>

#include <algorithm>

#include "ir/cleanup.h"

namespace fusekit::ir {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;

/// A number, flag, string, None, device, or an Optional or tuple of these: nothing that could be written.
bool is_immutable(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::BoolType:
    case c10::TypeKind::IntType:
    case c10::TypeKind::FloatType:
    case c10::TypeKind::ComplexType:
    case c10::TypeKind::NumberType:
    case c10::TypeKind::StringType:
    case c10::TypeKind::NoneType:
    case c10::TypeKind::DeviceObjType:
      return true;
    case c10::TypeKind::OptionalType:
    case c10::TypeKind::UnionType:
    case c10::TypeKind::TupleType: {
      const auto parts = type.containedTypes();
      return std::all_of(parts.begin(), parts.end(), [](const c10::TypePtr& part) { return is_immutable(*part); });
    }
    default:
      return false;
  }
}

bool never_written(const Value* value) { return is_immutable(*value->type()); }

/// Can this node be evaluated now, once its inputs are constants?
bool is_pure_arithmetic(const Node* node) {
  if (node->kind() == c10::prim::Constant || node->kind() == c10::prim::Uninitialized || !node->blocks().empty() ||
      node->kind() == c10::prim::unchecked_unwrap_optional || has_effect(node))
    return false;
  return std::all_of(node->inputs().begin(), node->inputs().end(), never_written) &&
         std::all_of(node->outputs().begin(), node->outputs().end(), never_written);
}

/// The answer to "x is None" and "x is not None" where the type of x alone gives it.
std::optional<bool> asks_for_none(const Node* node) {
  const bool negated = node->kind() == c10::aten::__isnot__;
  if (!negated && node->kind() != c10::aten::__is__) return std::nullopt;
  const Value* a = node->input(0);
  const Value* b = node->input(1);
  if ((a->mustBeNone() && b->mustNotBeNone()) || (a->mustNotBeNone() && b->mustBeNone())) return negated;
  return std::nullopt;
}

/// A cast to the type that the value has anyway.
bool is_needless_cast(const Node* node) {
  return node->kind() == c10::prim::unchecked_cast && *node->input()->type() == *node->output()->type();
}

/// What LibTorch's ConstantPropagationImmutableTypes does, without the alias analysis of the whole graph that it ends
/// with: that costs more than everything else that is done to a graph, and also removes random numbers.
class Propagator {
 public:
  explicit Propagator(torch::jit::Graph& graph) : graph_(graph) {}

  void visit(Block* block) {
    for (Node* node = block->nodes().front(); node != block->return_node();) {
      Node* next = node->next();
      visit(node);
      node = next;
    }
  }

 private:
  void visit(Node* node) {
    if (node->kind() == c10::prim::If) return visit_if(node);
    if (node->kind() == c10::prim::Loop) return visit_loop(node);
    for (Block* inner : node->blocks()) visit(inner);
    if (const auto answer = asks_for_none(node)) {
      const torch::jit::WithInsertPoint guard(node);
      node->output()->replaceAllUsesWith(graph_.insertConstant(*answer));
    } else if (is_needless_cast(node)) {
      node->output()->replaceAllUsesWith(node->input());
    } else if (is_pure_arithmetic(node)) {
      evaluate(node);
    }
  }

  void evaluate(Node* node) {
    const auto results = torch::jit::runNodeIfInputsAreConstant(node);
    if (!results) return;
    const torch::jit::WithInsertPoint guard(node);
    for (std::size_t i = 0; i < results->size(); ++i) {
      const auto constant = torch::jit::tryInsertConstant(graph_, results->at(i));
      if (!constant) continue;
      if (results->at(i).isNone()) (*constant)->setType(node->outputs()[i]->type());
      node->outputs()[i]->replaceAllUsesWith(*constant);
    }
  }

  void visit_if(Node* node) {
    const auto condition = torch::jit::toIValue(node->input());
    if (condition && condition->isBool()) return take_branch(node, condition->toBool() ? 0 : 1);
    for (Block* inner : node->blocks()) visit(inner);
    const auto a = node->blocks().at(0)->outputs();
    const auto b = node->blocks().at(1)->outputs();
    for (std::size_t i = 0; i < node->outputs().size(); ++i) {
      if (a[i] == b[i]) {
        node->outputs()[i]->replaceAllUsesWith(a[i]);
      } else if (const auto same = same_constant(a[i], b[i])) {
        const torch::jit::WithInsertPoint guard(node);
        node->outputs()[i]->replaceAllUsesWith(graph_.insertConstant(*same));
      }
    }
  }

  static std::optional<c10::IValue> same_constant(const Value* a, const Value* b) {
    if (!never_written(a) || !never_written(b) || *a->type() != *b->type()) return std::nullopt;
    const auto constant = torch::jit::toIValue(a);
    const auto other = torch::jit::toIValue(b);
    return constant && other && *constant == *other ? std::optional(*constant) : std::nullopt;
  }

  void take_branch(Node* node, std::size_t index) {
    Block* taken = node->blocks().at(index);
    visit(taken);
    for (Node* inner = taken->nodes().front(); inner != taken->return_node();) {
      Node* next = inner->next();
      inner->moveBefore(node);
      inner = next;
    }
    for (std::size_t i = 0; i < node->outputs().size(); ++i)
      node->outputs()[i]->replaceAllUsesWith(taken->outputs()[i]);
    node->destroy();
  }

  void visit_loop(Node* node) {
    // Inputs: trip count, condition, carried values. The body's inputs: counter, carried; its outputs: condition, carried.
    Block* body = node->blocks().at(0);
    const auto trips = torch::jit::toIValue(node->input(0));
    const auto condition = torch::jit::toIValue(node->input(1));
    const bool never =
        (trips && trips->isInt() && trips->toInt() < 1) || (condition && condition->isBool() && !condition->toBool());
    if (!never) visit(body);
    for (std::size_t i = 0; i < node->outputs().size(); ++i) {
      const bool unchanged = body->outputs()[i + 1] == body->inputs()[i + 1];
      if (!never && !unchanged) continue;
      node->outputs()[i]->replaceAllUsesWith(node->inputs()[i + 2]);
      if (unchanged) body->inputs()[i + 1]->replaceAllUsesWith(node->inputs()[i + 2]);
    }
    if (never) node->destroy();
  }

  torch::jit::Graph& graph_;
};

}  // namespace

void propagate_constants(torch::jit::Graph& graph) {
  torch::jit::LowerSimpleTuples(graph.block());
  Propagator(graph).visit(graph.block());
}

}  // namespace fusekit::ir
