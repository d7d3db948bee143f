#include "target/cpu/two_roads.h"

#include <unordered_map>

#include "ir/constants.h"

namespace fusekit::target {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

/// Is every tensor what it is expected to be? In front of everything that the graph has so far.
Value* fits(Graph& graph, const std::vector<ExpectedInput>& expected) {
  Value* all = nullptr;
  const auto demand = [&](Value* condition) {
    all = all == nullptr ? condition : graph.insert(c10::aten::__and__, {all, condition});
  };
  for (const ExpectedInput& input : expected) {
    Value* tensor = graph.inputs().at(input.index);
    demand(graph.insert(c10::aten::eq, {graph.insert(c10::aten::size, {tensor}), input.sizes}));
    demand(graph.insert(c10::aten::eq,
                        {graph.insert(c10::prim::dtype, {tensor}), static_cast<std::int64_t>(input.dtype)}));
    demand(graph.insert(c10::Symbol::prim("is_cpu"), {tensor}));
    if (input.is_contiguous) demand(graph.insert(c10::Symbol::aten("is_contiguous"), {tensor}));
  }
  return all != nullptr ? all : graph.insertConstant(true);
}

/// Fills a block of `graph` with a copy of what `road` does.
void copy_into(torch::jit::Block* block, Graph& graph, Graph& road) {
  std::unordered_map<Value*, Value*> copies;
  for (std::size_t i = 0; i < road.inputs().size(); ++i) copies[road.inputs()[i]] = graph.inputs()[i];
  const auto copy_of = [&](Value* value) { return copies.at(value); };
  for (Node* node : road.nodes()) {
    Node* copy = block->appendNode(graph.createClone(node, copy_of));
    for (std::size_t i = 0; i < node->outputs().size(); ++i) copies[node->outputs()[i]] = copy->outputs()[i];
  }
  for (Value* output : road.outputs()) block->registerOutput(copy_of(output));
}

}  // namespace

std::vector<ExpectedInput> expected_inputs(Graph& graph, const inputs::ObservedTensors& observed) {
  std::vector<ExpectedInput> expected;
  for (std::size_t i = 1; i < graph.inputs().size(); ++i) {
    const auto seen = observed.find(graph.inputs()[i]->unique());
    if (seen != observed.end() && seen->second.sizes && seen->second.dtype)
      expected.push_back({i, *seen->second.sizes, *seen->second.dtype});
  }
  return expected;
}

std::shared_ptr<Graph> two_roads(Graph& fast, Graph& plain, const std::vector<ExpectedInput>& expected) {
  auto graph = std::make_shared<Graph>();
  for (Value* input : plain.inputs()) graph->addInput()->copyMetadata(input);
  Value* condition = fits(*graph, expected);
  Node* choice = graph->insertNode(graph->create(c10::prim::If, {condition}, plain.outputs().size()));
  copy_into(choice->addBlock(), *graph, fast);
  copy_into(choice->addBlock(), *graph, plain);
  for (std::size_t i = 0; i < plain.outputs().size(); ++i) {
    choice->outputs()[i]->setType(plain.outputs()[i]->type());
    graph->registerOutput(choice->outputs()[i]);
  }
  return graph;
}

}  // namespace fusekit::target
