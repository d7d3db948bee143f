#include "inputs/observed_ranks.h"

#include <torch/csrc/jit/runtime/interpreter.h>

#include <set>

#include "ir/program.h"
#include "runtime/captured_output.h"
#include "runtime/seed_guard.h"

namespace fusekit::inputs {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

/// The tensors of a graph, those that blocks begin with among them; for a copy of the graph in the same order.
std::vector<Value*> tensors_of(Graph& graph) {
  std::vector<Value*> tensors;
  const auto take = [&](Value* value) {
    if (value->type()->isSubtypeOf(*c10::TensorType::get())) tensors.push_back(value);
  };
  for (Node* node : ir::all_nodes(graph)) {
    if (node->kind() == c10::prim::Constant) continue;
    for (Value* output : node->outputs()) take(output);
    for (torch::jit::Block* block : node->blocks())
      for (Value* input : block->inputs()) take(input);
  }
  return tensors;
}

/// Appends the tensor's place in `tensors_of` and its rank to `notes`, as soon as it is there.
void note_rank(Value* tensor, std::size_t index, Value* notes) {
  Node* node = tensor->node();
  Graph& graph = *node->owningGraph();
  const bool begins_block = node->kind() == c10::prim::Param;
  const torch::jit::WithInsertPoint guard(begins_block ? *node->owningBlock()->nodes().begin() : node->next());
  Value* rank = graph.insert(c10::aten::dim, {tensor});
  graph.insert(c10::aten::append, {notes, static_cast<std::int64_t>(index)});
  graph.insert(c10::aten::append, {notes, rank});
}

/// The graph, returning the notes and nothing else.
std::shared_ptr<Graph> with_notes(Graph& given) {
  auto graph = given.copy();
  const std::vector<Value*> tensors = tensors_of(*graph);
  Value* notes = nullptr;
  {
    const torch::jit::WithInsertPoint guard(*graph->nodes().begin());
    notes = graph->insertNode(graph->createList(c10::IntType::get(), {}))->output();
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) note_rank(tensors[i], i, notes);
  while (!graph->outputs().empty()) graph->eraseOutput(0);
  graph->registerOutput(notes);
  return graph;
}

/// What the method takes: the network itself, the sample, and the defaults of what is left.
std::vector<c10::IValue> arguments(const file::Original& original, const c10::FunctionSchema& schema,
                                   const Sample& sample) {
  std::vector<c10::IValue> stack{original.fresh()._ivalue()};
  for (const c10::IValue& value : sample) stack.push_back(value.deepcopy());
  for (std::size_t i = stack.size(); i < schema.arguments().size(); ++i)
    stack.push_back(schema.arguments()[i].default_value().value_or(c10::IValue()));
  return stack;
}

}  // namespace

ObservedRanks observed_ranks(const file::Original& original, Graph& graph, const c10::FunctionSchema& schema,
                             const Sample& sample) {
  const torch::NoGradGuard no_grad;
  const runtime::SeedGuard seed_guard;
  const runtime::CapturedOutput captured;
  std::vector<c10::IValue> stack = arguments(original, schema, sample);
  try {
    const torch::jit::Code code(with_notes(graph), "observed_ranks");
    torch::jit::InterpreterState(code).run(stack);
  } catch (const std::exception&) {
    return {};  // what is wrong with these inputs is told where the network is verified
  }
  const std::vector<Value*> tensors = tensors_of(graph);
  const std::vector<std::int64_t> notes = stack.at(0).toIntVector();
  ObservedRanks ranks;
  std::set<std::size_t> several;
  for (std::size_t i = 0; i + 1 < notes.size(); i += 2) {
    const std::size_t number = tensors.at(static_cast<std::size_t>(notes[i]))->unique();
    if (ranks.emplace(number, notes[i + 1]).first->second != notes[i + 1]) several.insert(number);
  }
  for (const std::size_t number : several) ranks.erase(number);
  return ranks;
}

}  // namespace fusekit::inputs
