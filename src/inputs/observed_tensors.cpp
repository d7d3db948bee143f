#include "inputs/observed_tensors.h"

#include <torch/csrc/jit/runtime/interpreter.h>

#include <algorithm>

#include "ir/program.h"
#include "runtime/captured_output.h"
#include "runtime/limited_run.h"
#include "runtime/seed_guard.h"

namespace fusekit::inputs {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

/// Might there be nothing where the value stands, in branches that return early or raise?
bool may_be_uninitialized(const Value* value) {
  const Node* node = value->node();
  if (node->kind() == c10::prim::Uninitialized) return true;
  if (node->kind() != c10::prim::If) return false;
  const auto blocks = node->blocks();
  return std::any_of(blocks.begin(), blocks.end(), [&](const torch::jit::Block* block) {
    return may_be_uninitialized(block->outputs()[value->offset()]);
  });
}

/// The tensors of a graph, those that blocks begin with among them; for a copy of the graph in the same order.
std::vector<Value*> tensors_of(Graph& graph) {
  std::vector<Value*> tensors;
  const auto take = [&](Value* value) {
    if (value->type()->isSubtypeOf(*c10::TensorType::get()) && !may_be_uninitialized(value)) tensors.push_back(value);
  };
  for (Value* input : graph.inputs()) take(input);
  for (Node* node : ir::all_nodes(graph)) {
    if (node->kind() == c10::prim::Constant) continue;
    for (Value* output : node->outputs()) take(output);
    for (torch::jit::Block* block : node->blocks())
      for (Value* input : block->inputs()) take(input);
  }
  return tensors;
}

/// Appends to `notes`, as soon as the tensor is there: its place in `tensors_of`, rank, sizes, dtype, and whether it is
/// contiguous.
void note(Value* tensor, std::size_t index, Value* notes) {
  Node* node = tensor->node();
  Graph& graph = *node->owningGraph();
  const bool begins_block = node->kind() == c10::prim::Param;
  const torch::jit::WithInsertPoint guard(
      !begins_block
          ? node->next()
          : (node->owningBlock() == graph.block() ? notes->node()->next() : *node->owningBlock()->nodes().begin()));
  const auto append = [&](const torch::jit::NamedValue& number) { graph.insert(c10::aten::append, {notes, number}); };
  append(static_cast<std::int64_t>(index));
  append(graph.insert(c10::aten::dim, {tensor}));
  graph.insert(c10::Symbol::aten("extend"), {notes, graph.insert(c10::aten::size, {tensor})});
  append(graph.insert(c10::prim::dtype, {tensor}));
  append(graph.insert(c10::aten::Int, {graph.insert(c10::Symbol::aten("is_contiguous"), {tensor})}));
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
  for (std::size_t i = 0; i < tensors.size(); ++i) note(tensors[i], i, notes);
  while (!graph->outputs().empty()) graph->eraseOutput(0);
  graph->registerOutput(notes);
  return graph;
}

/// What the method takes: the network itself, the sample, and the defaults of what is left.
std::vector<c10::IValue> arguments(const torch::jit::Module& network, const c10::FunctionSchema& schema,
                                   const Sample& sample) {
  std::vector<c10::IValue> stack{network._ivalue()};
  for (const c10::IValue& value : sample) stack.push_back(value.deepcopy());
  for (std::size_t i = stack.size(); i < schema.arguments().size(); ++i)
    stack.push_back(schema.arguments()[i].default_value().value_or(c10::IValue()));
  return stack;
}

template <typename T>
void keep_if_same(std::optional<T>& seen, const std::optional<T>& now) {
  if (seen != now) seen.reset();
}

ObservedTensors read_notes(const std::vector<Value*>& tensors, const std::vector<std::int64_t>& notes) {
  ObservedTensors observed;
  for (auto note = notes.begin(); note != notes.end();) {
    const std::size_t number = tensors.at(static_cast<std::size_t>(*note++))->unique();
    ObservedTensor now;
    now.rank = *note++;
    now.sizes.emplace(note, note + *now.rank);
    note += *now.rank;
    now.dtype = static_cast<at::ScalarType>(*note++);
    now.is_contiguous = *note++ != 0;
    ObservedTensor& seen = observed.emplace(number, now).first->second;
    keep_if_same(seen.rank, now.rank);
    keep_if_same(seen.sizes, now.sizes);
    keep_if_same(seen.dtype, now.dtype);
    keep_if_same(seen.is_contiguous, now.is_contiguous);
  }
  return observed;
}

}  // namespace

ObservedTensor seen(const ObservedTensors& observed, const Value* value) {
  const auto found = observed.find(value->unique());
  return found == observed.end() ? ObservedTensor() : found->second;
}

ObservedTensors observed_tensors(const torch::jit::Module& network, Graph& graph, const c10::FunctionSchema& schema,
                                 const Sample& sample) {
  const torch::NoGradGuard no_grad;
  const runtime::SeedGuard seed_guard;
  const runtime::CapturedOutput captured;
  std::vector<c10::IValue> stack = arguments(network, schema, sample);
  const runtime::LimitedRun limited(fmt::format("a run of {} on the given inputs", schema.name()));
  try {
    const torch::jit::Code code(with_notes(graph), "observed_tensors");
    torch::jit::InterpreterState(code).run(stack);
  } catch (...) {
    limited.check();
    return {};  // what is wrong with these inputs is told where the network is verified
  }
  return read_notes(tensors_of(graph), stack.at(0).toIntVector());
}

}  // namespace fusekit::inputs
