#include "ir/program.h"

#include <torch/csrc/jit/ir/constants.h>

#include "ir/flatten.h"
#include "ir/marks.h"
#include "ir/stubs.h"

namespace fusekit::ir {
namespace {

template <typename AnyBlock, typename AnyNode>
void collect(AnyBlock* block, std::vector<AnyNode*>& nodes) {
  for (AnyNode* node : block->nodes()) {
    nodes.push_back(node);
    for (AnyBlock* inner : node->blocks()) collect(inner, nodes);
  }
}

std::string free_key(const Program& program, const std::string& path) {
  std::string key = path;
  for (int copy = 1; program.weights.count(key) > 0; ++copy) key = fmt::format("{}#{}", path, copy);
  return key;
}

}  // namespace

std::optional<std::string> weight_key(const Value* value) {
  const Node* node = value->node();
  return node->kind() == c10::prim::Constant ? weight_mark(node) : std::nullopt;
}

const Weight* weight_of(const Program& program, const Value* value) {
  const auto key = weight_key(value);
  return key ? &program.weights.at(*key) : nullptr;
}

std::optional<at::Tensor> constant_tensor(const Program& program, const Value* value) {
  if (const Weight* weight = weight_of(program, value))
    return weight->packed.isNone() ? std::optional(weight->tensor.detach()) : std::nullopt;
  const auto constant = torch::jit::toIValue(value);
  if (constant && constant->isTensor() && constant->toTensor().defined()) return constant->toTensor();
  return std::nullopt;
}

std::string sibling_path(const Weight* weight, const std::string& name) {
  return weight == nullptr ? "" : join_path(split_path(weight->path).first, name);
}

Value* insert_weight(Program& program, Node* before, const std::string& key) {
  const torch::jit::WithInsertPoint guard(before);
  const Weight& weight = program.weights.at(key);
  const bool is_tensor = weight.packed.isNone();
  Value* value = before->owningGraph()->insertConstant(is_tensor ? c10::IValue(weight.tensor.detach()) : weight.packed);
  set_weight_mark(value->node(), key);
  value->node()->copyMetadata(before);
  if (is_tensor) value->setType(c10::TensorType::get());
  return value;
}

Value* add_packed(Program& program, Node* before, const std::string& path, const c10::IValue& packed) {
  const std::string key = free_key(program, path);
  Weight weight;
  weight.path = path;
  weight.is_new = true;
  weight.packed = packed;
  program.weights.emplace(key, std::move(weight));
  return insert_weight(program, before, key);
}

Program copy_of(const Program& program) {
  Program copy = program;
  for (Method& method : copy.methods) method.graph = method.graph->copy();
  return copy;
}

Value* add_weight(Program& program, Node* before, const std::string& path, const at::Tensor& tensor,
                  const Weight* like) {
  if (path.empty()) {
    const torch::jit::WithInsertPoint guard(before);
    return before->owningGraph()->insertConstant(tensor.detach());
  }
  const std::string key = free_key(program, path);
  Weight weight{tensor, path, /*is_parameter=*/true, /*is_buffer=*/false, /*is_new=*/true, /*packed=*/{}};
  if (like != nullptr) {
    weight.is_parameter = like->is_parameter;
    weight.is_buffer = like->is_buffer;
    if (like->tensor.requires_grad()) weight.tensor = tensor.detach().requires_grad_(true);
  }
  program.weights.emplace(key, std::move(weight));
  return insert_weight(program, before, key);
}

std::string scope_of(const Node* node) {
  const auto scope = without_mark(const_cast<Node*>(node)->scope());
  return !scope || scope->isRoot() ? "" : scope->name().toUnqualString();
}

void set_scope(Node* node, const std::string& path) {
  const auto root = c10::make_intrusive<torch::jit::Scope>();
  const auto scope = path.empty() ? root : root->push(c10::Symbol::scope(path));
  node->setScope(is_outside_of_stubs(node) ? with_mark(scope) : scope);
}

template <typename AnyNode>
AnyNode* outermost(AnyNode* node) {
  while (node->owningBlock()->owningNode() != nullptr) node = node->owningBlock()->owningNode();
  return node;
}

const Node* top_level(const Node* node) { return outermost(node); }
Node* top_level(Node* node) { return outermost(node); }

std::vector<Node*> nodes_of_group(const Program& program, std::int64_t group) {
  std::vector<Node*> nodes;
  const auto found = program.groups.find(group);
  if (found == program.groups.end()) return nodes;
  for (const Method& method : program.methods)
    if (method.name == found->second.method)
      for (Node* node : all_nodes(*method.graph))
        if (group_of(node) == group) nodes.push_back(node);
  return nodes;
}

std::vector<Node*> all_nodes(Graph& graph) {
  std::vector<Node*> nodes;
  collect(graph.block(), nodes);
  return nodes;
}

std::vector<const Node*> all_nodes(const Graph& graph) {
  std::vector<const Node*> nodes;
  collect(graph.block(), nodes);
  return nodes;
}

}  // namespace fusekit::ir
