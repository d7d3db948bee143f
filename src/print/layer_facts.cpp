#include "print/layer_facts.h"

#include "ir/constants.h"

namespace fusekit::print {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;

/// Whether the node computes something; nodes that build lists or read attributes do not.
bool is_operator(const Node* node) { return node->kind().is_aten() || node->maybeSchema() != nullptr; }

void collect(const Block* block, std::vector<const Node*>& operators) {
  for (const Node* node : block->nodes()) {
    if (is_operator(node)) operators.push_back(node);
    for (const Block* inner : node->blocks()) collect(inner, operators);
  }
}

}  // namespace

std::optional<std::string> attribute_path(const Value* value, const Value* self) {
  if (value == self) return "";
  const Node* node = value->node();
  if (node->kind() != c10::prim::GetAttr) return std::nullopt;
  const auto parent = attribute_path(node->input(), self);
  if (!parent) return std::nullopt;
  const std::string& name = node->s(c10::attr::name);
  return parent->empty() ? name : *parent + "." + name;
}

WeightReaders weight_readers(const torch::jit::Graph& graph) {
  WeightReaders readers;
  std::vector<const Node*> operators;
  collect(graph.block(), operators);
  for (const Node* node : operators) {
    for (const Value* input : node->inputs()) {
      if (!input->type()->isSubtypeOf(*c10::TensorType::get())) continue;
      const auto path = attribute_path(input, graph.inputs().at(0));
      if (!path) continue;
      const auto dot = path->rfind('.');
      std::vector<const Node*>& nodes = readers[dot == std::string::npos ? "" : path->substr(0, dot)];
      if (nodes.empty() || nodes.back() != node) nodes.push_back(node);
    }
  }
  return readers;
}

LayerFacts::LayerFacts(const torch::jit::Module& module, std::vector<const Node*> readers) : module_(module) {
  if (const auto forward = module.find_method("forward")) collect(forward->graph()->block(), operators_);
  operators_.insert(operators_.end(), readers.begin(), readers.end());
}

std::optional<c10::IValue> LayerFacts::setting(const std::string& name) const {
  const c10::ClassTypePtr type = module_.type();
  if (const auto constant = type->findConstant(name)) return *constant;
  if (type->hasAttribute(name)) return module_.attr(name);
  for (const Node* node : operators_)
    if (auto value = ir::constant(ir::argument(node, name))) return value;
  return std::nullopt;
}

at::Tensor LayerFacts::tensor(const std::string& name) const {
  if (!module_.hasattr(name)) return {};
  const c10::IValue value = module_.attr(name);
  return value.isTensor() ? value.toTensor() : at::Tensor();
}

bool LayerFacts::runs(const std::string& op) const {
  const auto symbol = c10::Symbol::fromQualString(op);
  return std::any_of(operators_.begin(), operators_.end(), [&](const Node* node) { return node->kind() == symbol; });
}

}  // namespace fusekit::print
