// linear (or addmm, + ReLU or a clamp) -> quantized::linear[_relu], weights per channel along the output features.
#include "ir/operators.h"
#include "quantize/lower/operators/int8_operators.h"

namespace fusekit::quantize {
namespace {

bool is_linear(Node* node) { return ir::as_linear(node).has_value(); }

Reason why_not_linear(Node* node, const ir::Program& program) {
  const auto layer = *ir::as_linear(node);
  const auto weight = ir::constant_tensor(program, layer.weight);
  if (!weight) return ReasonCode::weight_computed;
  if (weight->scalar_type() != at::kFloat) return ReasonCode::weight_not_float32;
  if (weight->dim() != 2) return ReasonCode::weight_not_matrix;
  const bool known = ir::is_none(layer.bias) || ir::constant_tensor(program, layer.bias).has_value();
  return known ? Reason() : Reason(ReasonCode::bias_computed);
}

std::vector<Value*> linear_inputs(Node* node) { return {ir::as_linear(node)->input}; }

Value* emit_linear(const Step& step, Emitter& emitter) {
  const auto layer = *ir::as_linear(step.front());
  Value* packed = emitter.packed_weights(step, layer.weight, layer.bias, 0, "quantized::linear_prepack", {});
  const bool relu = ends_in_relu(step);
  return emitter.insert(step, relu ? "quantized::linear_relu" : "quantized::linear",
                        with_qparams({emitter.int8(step.inputs[0]), packed}, emitter.output_qparams(step)));
}

}  // namespace

Conversion linear() {
  return {.name = "linear",
          .summary = "linear and addmm, with the ReLU or clamp behind it",
          .matches = is_linear,
          .why_not = why_not_linear,
          .inputs = linear_inputs,
          .emit = emit_linear,
          .role = Role::layer,
          .absorbs_clamp = true,
          .ranks = any_batched_rank};
}

}  // namespace fusekit::quantize
