// a + b and a * b of two activations (+ ReLU) -> quantized::add[_relu], quantized::mul[_relu].
#include "quantize/lower/operators/int8_operators.h"

namespace fusekit::quantize {
namespace {

bool is_functional(Node* node, ir::Arithmetic::Kind kind) {
  const auto arithmetic = ir::as_arithmetic(node);
  return arithmetic && arithmetic->kind == kind && arithmetic->of_tensors() && !ir::writes_in_place(node);
}

bool is_addition(Node* node) { return is_functional(node, ir::Arithmetic::Kind::add); }
bool is_multiplication(Node* node) { return is_functional(node, ir::Arithmetic::Kind::multiply); }

Reason operand_is_constant(Node* node, const ir::Program& program) {
  for (const Value* input : {node->input(0), node->input(1)})
    if (ir::constant_tensor(program, input)) return ReasonCode::operand_constant;
  return {};
}

Reason why_not_add(Node* node, const ir::Program& program) {
  return ir::is_plain_sum(node) ? operand_is_constant(node, program) : Reason(ReasonCode::alpha_not_one);
}

std::vector<Value*> both_operands(Node* node) { return {node->input(0), node->input(1)}; }

/// quantized::conv1d lays its output out with the channels last, on which the sum and the product crawl (src/quantize/README.md).
Value* operand(const Step& step, Emitter& emitter, std::size_t k) {
  Value* value = emitter.int8(step.inputs[k]);
  if (emitter.rank_of(step.inputs[k]) != 3) return value;
  return emitter.insert(step, "aten::contiguous", {value});
}

constexpr std::int64_t kSlowerFromBroadcast = 4096;

template <bool is_add>
Value* emit_arithmetic(const Step& step, Emitter& emitter) {
  const bool relu = ends_in_relu(step);
  const char* name =
      is_add ? (relu ? "quantized::add_relu" : "quantized::add") : (relu ? "quantized::mul_relu" : "quantized::mul");
  return emitter.insert(
      step, name, with_qparams({operand(step, emitter, 0), operand(step, emitter, 1)}, emitter.output_qparams(step)));
}

}  // namespace

Conversion addition() {
  return {.name = "add",
          .summary = "the sum of two activations, with the ReLU or clamp behind it",
          .matches = is_addition,
          .why_not = why_not_add,
          .inputs = both_operands,
          .emit = emit_arithmetic<true>,
          .precondition = Precondition::any_input,
          .absorbs_clamp = true,
          .slower_from_broadcast = kSlowerFromBroadcast};
}

Conversion multiplication() {
  return {.name = "mul",
          .summary = "the product of two activations, with the ReLU or clamp behind it",
          .matches = is_multiplication,
          .why_not = operand_is_constant,
          .inputs = both_operands,
          .emit = emit_arithmetic<false>,
          .precondition = Precondition::any_input,
          .absorbs_clamp = true,
          .slower_from_broadcast = kSlowerFromBroadcast};
}

}  // namespace fusekit::quantize
