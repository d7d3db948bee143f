#include "ir/stubs.h"

#include <algorithm>
#include <unordered_set>

#include "ir/program.h"

namespace fusekit::ir {
namespace {

c10::Symbol begin_mark() { return c10::Symbol::fromQualString("fusekit::QuantStub"); }
c10::Symbol end_mark() { return c10::Symbol::fromQualString("fusekit::DeQuantStub"); }
c10::Symbol outside() { return c10::Symbol::scope("outside_of_stubs"); }

bool gives_its_input_back(const Graph& callee) {
  return callee.nodes().begin() == callee.nodes().end() && callee.inputs().size() == 2 &&
         callee.outputs().size() == 1 && callee.outputs()[0] == callee.inputs()[1];
}

/// Follows what comes from a QuantStub through the graph, in its order.
class Follower {
 public:
  void walk(Block* block) {
    for (Node* node : block->nodes()) visit(node);
  }

 private:
  void visit(Node* node) {
    if (node->kind() == begin_mark()) {
      inside_.insert(node->output());
      return;
    }
    if (node->kind() == end_mark()) return;
    if (node->kind() == c10::prim::Loop) return visit_loop(node);
    for (Block* inner : node->blocks()) {
      walk(inner);
      for (std::size_t i = 0; i < node->outputs().size(); ++i)
        if (inside_.count(inner->outputs()[i]) > 0) inside_.insert(node->outputs()[i]);
    }
    const bool is_inside = std::any_of(node->inputs().begin(), node->inputs().end(),
                                       [this](const Value* input) { return inside_.count(input) > 0; });
    if (is_inside) {
      node->setScope(without_mark(node->scope()));
      for (const Value* output : node->outputs()) inside_.insert(output);
    } else {
      node->setScope(with_mark(node->scope()));
    }
  }

  /// What its body makes, its body may read: twice is enough for one value, and so for as many as there are.
  void visit_loop(Node* node) {
    Block* body = node->blocks().at(0);
    for (std::size_t again = 0; again <= node->outputs().size(); ++again) {
      const std::size_t before = inside_.size();
      for (std::size_t i = 0; i < node->outputs().size(); ++i) {
        if (inside_.count(node->inputs()[i + 2]) == 0 && inside_.count(body->outputs()[i + 1]) == 0) continue;
        inside_.insert(body->inputs()[i + 1]);
        inside_.insert(node->outputs()[i]);
      }
      walk(body);
      if (again > 0 && inside_.size() == before) return;
    }
  }

  std::unordered_set<const Value*> inside_;
};

}  // namespace

Node* replace_stub_call(Node* call, const std::string& class_name, const Graph& callee) {
  const bool begins = class_name == "QuantStub";
  if ((!begins && class_name != "DeQuantStub") || call->inputs().size() != 2 || !gives_its_input_back(callee))
    return nullptr;
  Graph* graph = call->owningGraph();
  Node* mark = graph->create(begins ? begin_mark() : end_mark(), {call->input(1)});
  mark->insertBefore(call);
  mark->output()->setType(call->output()->type());
  call->output()->replaceAllUsesWith(mark->output());
  call->destroy();
  return mark;
}

void mark_outside_of_stubs(Graph& graph) {
  const std::vector<Node*> nodes = all_nodes(graph);
  const auto is_mark = [](const Node* node) { return node->kind() == begin_mark() || node->kind() == end_mark(); };
  if (std::any_of(nodes.begin(), nodes.end(), [](const Node* node) { return node->kind() == begin_mark(); }))
    Follower().walk(graph.block());
  for (Node* node : nodes) {
    if (!is_mark(node)) continue;
    node->output()->replaceAllUsesWith(node->input());
    node->destroy();
  }
}

bool is_outside_of_stubs(const Node* node) {
  const auto scope = const_cast<Node*>(node)->scope();
  return scope && !scope->isRoot() && scope->name() == outside();
}

torch::jit::ScopePtr without_mark(const torch::jit::ScopePtr& scope) {
  return scope && !scope->isRoot() && scope->name() == outside() ? scope->parent() : scope;
}

torch::jit::ScopePtr with_mark(const torch::jit::ScopePtr& scope) {
  const torch::jit::ScopePtr plain = without_mark(scope);
  return (plain ? plain : c10::make_intrusive<torch::jit::Scope>())->push(outside());
}

}  // namespace fusekit::ir
