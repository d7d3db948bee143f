#include "target/cpu/two_roads.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "ir/constants.h"

namespace fusekit::target {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

/// Inserts the question whether arguments are what is expected.
class Question {
 public:
  Question(Graph& graph, bool contiguous) : graph_(graph), contiguous_(contiguous) {}

  Value* about(const std::vector<c10::IValue>& expected) {
    std::vector<Value*> answers;
    for (std::size_t i = 0; i < expected.size(); ++i)
      if (Value* answer = about(graph_.inputs().at(i + 1), expected[i])) answers.push_back(answer);
    return all(answers);
  }

 private:
  /// nullptr: the argument is always like that.
  Value* about(Value* argument, const c10::IValue& expected) {
    const bool is_optional = argument->type()->kind() == c10::TypeKind::OptionalType;
    if (expected.isNone()) return is_optional ? graph_.insert(c10::aten::__is__, {argument, c10::IValue()}) : nullptr;
    if (!is_optional) return about_what_is_there(argument, expected);
    return if_so(graph_.insert(c10::aten::__isnot__, {argument, c10::IValue()}), [&] {
      const auto type = argument->type()->expect<c10::OptionalType>()->getElementType();
      return about_what_is_there(graph_.insertUncheckedCast(argument, type), expected);
    });
  }

  Value* about_what_is_there(Value* argument, const c10::IValue& expected) {
    if (expected.isTensor()) return about_tensor(argument, expected.toTensor());
    if (!expected.isList()) return graph_.insert(c10::aten::eq, {argument, expected});
    const auto elements = expected.toListRef();
    Value* count = graph_.insert(c10::aten::len, {argument});
    return if_so(graph_.insert(c10::aten::eq, {count, static_cast<std::int64_t>(elements.size())}), [&] {
      std::vector<Value*> answers;
      for (std::size_t i = 0; i < elements.size(); ++i) {
        Value* element = graph_.insert(c10::aten::__getitem__, {argument, static_cast<std::int64_t>(i)});
        answers.push_back(about_tensor(element, elements[i].toTensor()));
      }
      return all(answers);
    });
  }

  Value* about_tensor(Value* tensor, const at::Tensor& expected) {
    std::vector<Value*> answers = {
        graph_.insert(c10::aten::eq, {graph_.insert(c10::aten::size, {tensor}), expected.sizes().vec()}),
        graph_.insert(c10::aten::eq,
                      {graph_.insert(c10::prim::dtype, {tensor}), static_cast<std::int64_t>(expected.scalar_type())}),
        graph_.insert(c10::Symbol::prim("is_cpu"), {tensor})};
    if (contiguous_) answers.push_back(graph_.insert(c10::Symbol::aten("is_contiguous"), {tensor}));
    return all(answers);
  }

  Value* all(const std::vector<Value*>& answers) {
    if (answers.empty()) return graph_.insertConstant(true);
    Value* together = answers.front();
    for (std::size_t i = 1; i < answers.size(); ++i)
      together = graph_.insert(c10::aten::__and__, {together, answers[i]});
    return together;
  }

  /// What `then` asks, which may only be asked where `condition` holds; no otherwise.
  Value* if_so(Value* condition, const std::function<Value*()>& then) {
    Node* choice = graph_.insertNode(graph_.create(c10::prim::If, {condition}, 1));
    choice->output()->setType(c10::BoolType::get());
    const auto fill = [&](const std::function<Value*()>& answer) {
      torch::jit::Block* block = choice->addBlock();
      const torch::jit::WithInsertPoint guard(block);
      block->registerOutput(answer());
    };
    fill(then);
    fill([&] { return graph_.insertConstant(false); });
    return choice->output();
  }

  Graph& graph_;
  bool contiguous_;
};

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

bool is_defined_tensor(const c10::IValue& value) { return value.isTensor() && value.toTensor().defined(); }

}  // namespace

bool can_be_told(const c10::IValue& argument) {
  if (argument.isList()) return std::ranges::all_of(argument.toListRef(), is_defined_tensor);
  return is_defined_tensor(argument) || argument.isNone() || argument.isInt() || argument.isDouble() ||
         argument.isBool();
}

std::shared_ptr<Graph> two_roads(Graph& fast, Graph& plain, const Expected& expected) {
  auto graph = std::make_shared<Graph>();
  for (Value* input : plain.inputs()) graph->addInput()->copyMetadata(input);
  Value* condition = Question(*graph, expected.contiguous).about(expected.arguments);
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
