// a + b and a * b of two activations (+ ReLU) -> quantized::add[_relu], quantized::mul[_relu].
#include "quantize/lower/operators/all.h"

namespace fusekit::quantize {
namespace {

bool takes_two_tensors(const Node* node) {
  return node->input(0)->type()->isSubtypeOf(*c10::TensorType::get()) &&
         node->input(1)->type()->isSubtypeOf(*c10::TensorType::get());
}

bool is_addition(const Node* node) { return is_operator(node, {"aten::add"}) && takes_two_tensors(node); }
bool is_multiplication(const Node* node) { return is_operator(node, {"aten::mul"}) && takes_two_tensors(node); }

WhyNot operand_is_constant(Node* node, const ir::Program& program) {
  for (const Value* input : {node->input(0), node->input(1)})
    if (ir::constant_tensor(program, input)) return "one side is a constant";
  return std::nullopt;
}

WhyNot why_not_add(Node* node, const ir::Program& program) {
  if (constant_number(node->namedInput("alpha")) != 1.0) return "its alpha is not 1";
  return operand_is_constant(node, program);
}

std::vector<Value*> both_operands(Node* node) { return {node->input(0), node->input(1)}; }

template <bool is_add>
Value* emit_arithmetic(const Step& step, Emitter& emitter) {
  const bool relu = ends_in_relu(step);
  const char* name =
      is_add ? (relu ? "quantized::add_relu" : "quantized::add") : (relu ? "quantized::mul_relu" : "quantized::mul");
  return emitter.insert(
      step, name,
      with_qparams({emitter.int8(step.inputs[0]), emitter.int8(step.inputs[1])}, emitter.output_qparams(step)));
}

}  // namespace

Conversion addition() {
  return {.name = "add",
          .summary = "the sum of two activations, with the ReLU or clamp behind it",
          .matches = is_addition,
          .why_not = why_not_add,
          .inputs = both_operands,
          .emit = emit_arithmetic<true>,
          .appetite = Appetite::any_input,
          .absorbs_clamp = true};
}

Conversion multiplication() {
  return {.name = "mul",
          .summary = "the product of two activations, with the ReLU or clamp behind it",
          .matches = is_multiplication,
          .why_not = operand_is_constant,
          .inputs = both_operands,
          .emit = emit_arithmetic<false>,
          .appetite = Appetite::any_input,
          .absorbs_clamp = true};
}

}  // namespace fusekit::quantize
