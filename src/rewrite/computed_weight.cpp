#include "rewrite/computed_weight.h"

#include <torch/csrc/jit/runtime/interpreter.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "ir/cleanup.h"
#include "ir/uses.h"

namespace fusekit::rewrite {
namespace {

constexpr std::size_t kMostOperators = 500;
constexpr std::int64_t kMostGrowth = 4;  ///< times the numbers that it is computed of

/// Operators that make a tensor of numbers alone, always the same.
bool is_known_factory(const Node* node) {
  return ir::is_operator(node, {"aten::zeros", "aten::ones", "aten::full", "aten::eye", "aten::arange",
                                "aten::linspace", "aten::scalar_tensor", "aten::tensor"});
}

/// Operators that leave numbers as they happen to stand in memory.
bool leaves_memory_unset(const Node* node) {
  const std::string_view name = node->kind().toUnqualString();
  return name.find("empty") != name.npos || name.find("resize") != name.npos;
}

/// Does the operator give the same for the same inputs, and do nothing else?
bool is_function(const Node* node) {
  if (!node->blocks().empty() || ir::has_effect(node) || leaves_memory_unset(node)) return false;
  if (node->kind().is_prim()) return node->kind() != c10::prim::Uninitialized;
  const bool reads_tensor = std::any_of(node->inputs().begin(), node->inputs().end(), ir::is_tensor);
  const bool gives_tensor = std::any_of(node->outputs().begin(), node->outputs().end(), ir::is_tensor);
  return node->kind().is_aten() && (reads_tensor || !gives_tensor || is_known_factory(node) ||
                                    node->kind() == c10::aten::cat || node->kind() == c10::aten::stack);
}

/// What a weight is computed by: operators in an order in which they can run, and the constants that they begin with.
class Computation {
 public:
  Computation(const std::string& what, Facts& facts) : what_(what), facts_(facts) {}

  /// Why `value` may be another in another run.
  Reason add(Value* value) {
    Node* node = value->node();
    if (!seen_.insert(node).second) return {};
    if (seen_.size() > kMostOperators) return {ReasonCode::is_computed, what_, node->kind().toQualString()};
    if (node->kind() == c10::prim::GetAttr) return {ReasonCode::depends_on_state, what_, node->s(c10::attr::name)};
    if (node->kind() == c10::prim::Param) return {ReasonCode::depends_on_input, what_};
    if (node->kind() != c10::prim::Constant) {
      if (!is_function(node)) return {ReasonCode::not_a_function, what_, node->kind().toQualString()};
      for (Value* input : node->inputs())
        if (Reason reason = add(input)) return reason;
      for (const Value* output : node->outputs())
        if (ir::is_tensor(output) && facts_.is_written(output)) return {ReasonCode::weight_written_in_place, what_};
    }
    nodes_.push_back(node);
    return {};
  }

  [[nodiscard]] std::vector<std::string> sources() const {
    std::set<std::string> keys;
    for (const Node* node : nodes_)
      if (node->kind() == c10::prim::Constant)
        if (const auto key = ir::weight_key(node->output())) keys.insert(*key);
    return {keys.begin(), keys.end()};
  }

  /// One name for what `result` is; "" where a constant of it has none.
  [[nodiscard]] std::string key(const Value* result) const {
    std::unordered_map<const Value*, std::size_t> numbers;
    std::string text = "computed";
    for (const Node* node : nodes_) {
      if (node->kind() == c10::prim::Constant) {
        const auto weight = ir::weight_key(node->output());
        const auto stored = ir::constant(node->output());
        if (!weight && (!stored || stored->isTensor())) return "";
        text += "|" + (weight ? *weight : c10::str("=", *stored));
      } else {
        text += c10::str("|", node->kind().toQualString());
        for (const Value* input : node->inputs()) text += c10::str(" ", numbers.at(input));
      }
      for (const Value* output : node->outputs()) numbers.emplace(output, numbers.size());
    }
    return c10::str(text, "|", numbers.at(result));
  }

  /// Runs it. nullopt: it gives no tensor, or raises.
  [[nodiscard]] std::optional<at::Tensor> run(const Value* result) const {
    const torch::NoGradGuard no_grad;
    const auto graph = std::make_shared<Graph>();
    std::unordered_map<Value*, Value*> copies;
    for (Node* node : nodes_) {
      Node* copy = graph->insertNode(graph->createClone(node, [&](Value* input) { return copies.at(input); }));
      for (std::size_t i = 0; i < node->outputs().size(); ++i) copies.emplace(node->outputs()[i], copy->outputs()[i]);
    }
    graph->registerOutput(copies.at(const_cast<Value*>(result)));
    torch::jit::Stack stack;
    try {
      torch::jit::InterpreterState(torch::jit::Code(graph, "computed_weight")).run(stack);
    } catch (const std::exception&) {
      return std::nullopt;
    }
    return stack.at(0).isTensor() ? std::optional(stack[0].toTensor()) : std::nullopt;
  }

  /// Does anything else read one of the weights that it begins with?
  [[nodiscard]] bool shares_source_of(const at::Tensor& result) const {
    for (const std::string& key : sources()) {
      if (!facts_.program.weights.at(key).tensor.is_alias_of(result)) continue;
      for (const ir::Method& method : facts_.program.methods)
        for (Node* node : ir::all_nodes(*method.graph))
          if (node->kind() == c10::prim::Constant && ir::weight_key(node->output()) == key && seen_.count(node) == 0)
            return true;
    }
    return false;
  }

 private:
  const std::string& what_;
  Facts& facts_;
  std::unordered_set<const Node*> seen_;
  std::vector<Node*> nodes_;
};

std::int64_t numbers_in(const std::vector<std::string>& sources, const ir::Program& program) {
  std::int64_t count = 0;
  for (const std::string& key : sources) count += program.weights.at(key).tensor.numel();
  return count;
}

}  // namespace

std::variant<Reason, ComputedWeight> compute_weight(Value* value, const std::string& what, Facts& facts) {
  Computation computation(what, facts);
  if (Reason reason = computation.add(value)) return reason;
  ComputedWeight weight{{}, computation.sources(), computation.key(value)};
  for (const std::string& key : weight.sources)
    if (!facts.program.weights.at(key).packed.isNone()) return Reason(ReasonCode::is_computed, what, "packed weights");
  const auto tensor = computation.run(value);
  if (!tensor) return Reason(ReasonCode::is_computed, what, value->node()->kind().toQualString());
  const std::int64_t sources = numbers_in(weight.sources, facts.program);
  if (tensor->numel() > kMostGrowth * sources)
    return Reason(ReasonCode::weight_would_grow, what, tensor->numel(), sources);
  if (computation.shares_source_of(*tensor)) return Reason(ReasonCode::view_of_shared_weight, what);
  weight.tensor = tensor->clone();
  return weight;
}

}  // namespace fusekit::rewrite
