// cat of activations -> quantized::cat. What is read by the cat alone gets the cat's own scale (see scales.cpp), and the
// levels are then copied as they are.
#include <algorithm>

#include "quantize/lower/operators/int8_operators.h"

namespace fusekit::quantize {
namespace {

bool is_cat(Node* node) { return ir::is_operator(node, {"aten::cat"}); }

Reason why_not_concatenation(Node* node, const ir::Program&) {
  const auto concat = ir::as_concat(node);
  if (!concat) return ReasonCode::list_made_at_run_time;
  if (concat->parts().empty()) return ReasonCode::list_empty;
  const auto& uses = concat->list->output()->uses();
  if (!std::all_of(uses.begin(), uses.end(), [](const torch::jit::Use& use) { return ir::only_reads_list(use.user); }))
    return ReasonCode::list_kept;
  return concat->dim ? Reason() : Reason(ReasonCode::dim_computed);
}

std::vector<Value*> concatenation_inputs(Node* node) { return ir::as_concat(node)->parts(); }

/// Of a part that is a slice of something the kernel would copy each element by itself.
Value* dense(Value* part, const Step& step, Emitter& emitter) {
  Value* levels = emitter.int8(part);
  const bool is_slice = ir::is_operator(levels->node(), {"aten::__getitem__", "aten::slice", "aten::narrow"});
  return is_slice && emitter.rank_of(part) == 4 ? in_channels_last(levels, step) : levels;
}

Value* emit_concatenation(const Step& step, Emitter& emitter) {
  std::vector<Value*> parts;
  for (Value* input : step.inputs) parts.push_back(dense(input, step, emitter));
  Node* node = step.front();
  const torch::jit::WithInsertPoint guard(node);
  Graph* graph = node->owningGraph();
  Value* list = graph->insertNode(graph->createList(c10::TensorType::get(), parts))->output();
  const bool relu = ends_in_relu(step);
  return emitter.insert(step, relu ? "quantized::cat_relu" : "quantized::cat",
                        with_qparams({list, ir::argument(node, "dim")}, emitter.output_qparams(step)));
}

}  // namespace

Conversion concatenation() {
  return {.name = "cat",
          .summary = "cat of activations, with the ReLU or clamp behind it",
          .matches = is_cat,
          .why_not = why_not_concatenation,
          .inputs = concatenation_inputs,
          .emit = emit_concatenation,
          .role = Role::concat,
          .precondition = Precondition::any_input,
          .absorbs_clamp = true};
}

}  // namespace fusekit::quantize
