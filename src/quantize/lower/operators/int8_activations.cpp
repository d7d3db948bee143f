// Activations with an int8 operator of their own, or one that is put together of such.
#include "quantize/lower/operators/int8_operators.h"

namespace fusekit::quantize {
namespace {

bool is_hardswish(Node* node) { return ir::is_operator(node, {"aten::hardswish"}); }
bool is_leaky_relu(Node* node) { return ir::is_operator(node, {"aten::leaky_relu"}); }
bool is_sigmoid(Node* node) { return ir::is_operator(node, {"aten::sigmoid"}); }
bool is_hardsigmoid(Node* node) { return ir::is_operator(node, {"aten::hardsigmoid"}); }
bool is_tanh(Node* node) { return ir::is_operator(node, {"aten::tanh"}); }
bool is_elu(Node* node) { return ir::is_operator(node, {"aten::elu"}); }
bool is_silu(Node* node) { return ir::is_operator(node, {"aten::silu"}); }

constexpr QParams kUnitInterval{1.0 / 256, 0};  // of [0, 1]

Reason slope_is_computed(Node* node, const ir::Program&) {
  return ir::constant_number(ir::argument(node, "negative_slope")) ? Reason() : Reason(ReasonCode::slope_computed);
}

Value* emit_hardswish(const Step& step, Emitter& emitter) {
  return emitter.insert(step, "quantized::hardswish",
                        with_qparams({emitter.int8(step.inputs[0])}, emitter.output_qparams(step)));
}

Value* emit_leaky_relu(const Step& step, Emitter& emitter) {
  const double slope = *ir::constant_number(ir::argument(step.front(), "negative_slope"));
  return emitter.insert(step, "quantized::leaky_relu",
                        with_qparams({emitter.int8(step.inputs[0]), slope, false}, emitter.output_qparams(step)));
}

Value* emit_sigmoid(const Step& step, Emitter& emitter) {
  return emitter.insert(step, "quantized::sigmoid",
                        with_qparams({emitter.int8(step.inputs[0])}, emitter.output_qparams(step)));
}

/// x * sigmoid(x): there is no operator for it.
Value* emit_silu(const Step& step, Emitter& emitter) {
  Value* x = emitter.int8(step.inputs[0]);
  Value* gate = emitter.insert(step, "quantized::sigmoid", with_qparams({x}, kUnitInterval));
  return emitter.insert(step, "quantized::mul", with_qparams({x, gate}, emitter.output_qparams(step)));
}

Value* emit_elu(const Step& step, Emitter& emitter) {
  Node* node = step.front();
  const QParams qparams = emitter.output_qparams(step);
  return emitter.insert(step, "quantized::elu",
                        {emitter.int8(step.inputs[0]), qparams.scale, qparams.zero_point, ir::argument(node, "alpha"),
                         ir::argument(node, "scale"), ir::argument(node, "input_scale")});
}

Conversion activation(std::string_view name, bool (*matches)(Node*), Value* (*emit)(const Step&, Emitter&),
                      OutputScale scale = OutputScale::observed, QParams fixed = {}) {
  return {.name = name,
          .summary = "the activation on int8",
          .matches = matches,
          .why_not = nothing_against,
          .inputs = first_input,
          .emit = emit,
          .scale = scale,
          .precondition = Precondition::every_input,
          .fixed = fixed};
}

}  // namespace

std::vector<Conversion> activations() {
  // hardsigmoid's and tanh's kernels are aten's own, which give levels of a scale that they know themselves.
  std::vector<Conversion> list = {
      activation("hardswish", is_hardswish, emit_hardswish),
      activation("leaky_relu", is_leaky_relu, emit_leaky_relu),
      activation("sigmoid", is_sigmoid, emit_sigmoid, OutputScale::fixed, kUnitInterval),
      activation("hardsigmoid", is_hardsigmoid, emit_itself, OutputScale::fixed, kUnitInterval),
      activation("tanh", is_tanh, emit_itself, OutputScale::fixed, {2.0 / 256, 128}),
      activation("elu", is_elu, emit_elu),
      activation("silu", is_silu, emit_silu),
  };
  list[1].why_not = slope_is_computed;
  list[2].slower_from = 8192;  // sigmoid
  list[4].slower_from = 2048;  // tanh
  list[5].slower_from = 512;   // elu
  list[6].slower_from = 1024;  // silu
  return list;
}

}  // namespace fusekit::quantize
