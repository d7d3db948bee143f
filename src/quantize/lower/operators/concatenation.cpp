// cat of activations -> quantized::cat. What is read by the cat alone gets the cat's own scale (see scales.cpp), and the
// levels are then copied as they are.
#include <algorithm>

#include "quantize/lower/functional.h"
#include "quantize/lower/operators/all.h"

namespace fusekit::quantize {
namespace {

bool is_cat(const Node* node) { return is_operator(node, {"aten::cat"}); }

WhyNot why_not_concatenation(Node* node, const ir::Program&) {
  const Node* list = node->input(0)->node();
  if (list->kind() != c10::prim::ListConstruct) return "its list is made at run time";
  if (list->inputs().empty()) return "its list is empty";
  const auto& uses = list->output()->uses();
  if (!std::all_of(uses.begin(), uses.end(), [](const torch::jit::Use& use) { return only_reads_list(use.user); }))
    return "its list is written to, or kept by something that may write to it";
  return constant_int(node->namedInput("dim")) ? std::nullopt : WhyNot("its dim is computed at run time");
}

std::vector<Value*> concatenation_inputs(Node* node) {
  const auto list = node->input(0)->node()->inputs();
  return {list.begin(), list.end()};
}

Value* emit_concatenation(const Step& step, Emitter& emitter) {
  std::vector<Value*> parts;
  for (Value* input : step.inputs) parts.push_back(emitter.int8(input));
  Node* node = step.front();
  const torch::jit::WithInsertPoint guard(node);
  Graph* graph = node->owningGraph();
  Value* list = graph->insertNode(graph->createList(c10::TensorType::get(), parts))->output();
  const bool relu = ends_in_relu(step);
  return emitter.insert(step, relu ? "quantized::cat_relu" : "quantized::cat",
                        with_qparams({list, node->namedInput("dim")}, emitter.output_qparams(step)));
}

}  // namespace

Conversion concatenation() {
  return {.name = "cat",
          .summary = "cat of activations, with the ReLU or clamp behind it",
          .matches = is_cat,
          .why_not = why_not_concatenation,
          .inputs = concatenation_inputs,
          .emit = emit_concatenation,
          .appetite = Appetite::any_input,
          .absorbs_clamp = true};
}

}  // namespace fusekit::quantize
