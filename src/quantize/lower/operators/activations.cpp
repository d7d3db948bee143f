// Activations with an int8 operator of their own.
#include "quantize/lower/operators/all.h"

namespace fusekit::quantize {
namespace {

bool is_hardswish(const Node* node) { return is_operator(node, {"aten::hardswish"}); }
bool is_leaky_relu(const Node* node) { return is_operator(node, {"aten::leaky_relu"}); }
bool is_sigmoid(const Node* node) { return is_operator(node, {"aten::sigmoid"}); }
bool is_hardsigmoid(const Node* node) { return is_operator(node, {"aten::hardsigmoid"}); }
bool is_tanh(const Node* node) { return is_operator(node, {"aten::tanh"}); }
bool is_elu(const Node* node) { return is_operator(node, {"aten::elu"}); }

WhyNot slope_is_computed(Node* node, const ir::Program&) {
  return constant_number(node->namedInput("negative_slope")) ? std::nullopt : WhyNot("its slope is computed");
}

Value* emit_hardswish(const Step& step, Emitter& emitter) {
  return emitter.insert(step, "quantized::hardswish",
                        with_qparams({emitter.int8(step.inputs[0])}, emitter.output_qparams(step)));
}

Value* emit_leaky_relu(const Step& step, Emitter& emitter) {
  const double slope = *constant_number(step.front()->namedInput("negative_slope"));
  return emitter.insert(step, "quantized::leaky_relu",
                        with_qparams({emitter.int8(step.inputs[0]), slope, false}, emitter.output_qparams(step)));
}

Value* emit_sigmoid(const Step& step, Emitter& emitter) {
  return emitter.insert(step, "quantized::sigmoid",
                        with_qparams({emitter.int8(step.inputs[0])}, emitter.output_qparams(step)));
}

Value* emit_elu(const Step& step, Emitter& emitter) {
  const Node* node = step.front();
  const QParams qparams = emitter.output_qparams(step);
  return emitter.insert(step, "quantized::elu",
                        {emitter.int8(step.inputs[0]), qparams.scale, qparams.zero_point, node->namedInput("alpha"),
                         node->namedInput("scale"), node->namedInput("input_scale")});
}

Conversion activation(std::string_view name, bool (*matches)(const Node*), Value* (*emit)(const Step&, Emitter&),
                      OutputScale scale = OutputScale::observed, QParams fixed = {}) {
  return {.name = name,
          .summary = "the activation on int8",
          .matches = matches,
          .why_not = nothing_against,
          .inputs = first_input,
          .emit = emit,
          .scale = scale,
          .appetite = Appetite::every_input,
          .fixed = fixed};
}

}  // namespace

std::vector<Conversion> activations() {
  // hardsigmoid's and tanh's kernels are aten's own, which give levels of a scale that they know themselves.
  std::vector<Conversion> list = {
      activation("hardswish", is_hardswish, emit_hardswish),
      activation("leaky_relu", is_leaky_relu, emit_leaky_relu),
      activation("sigmoid", is_sigmoid, emit_sigmoid, OutputScale::fixed, {1.0 / 256, 0}),
      activation("hardsigmoid", is_hardsigmoid, emit_itself, OutputScale::fixed, {1.0 / 256, 0}),
      activation("tanh", is_tanh, emit_itself, OutputScale::fixed, {2.0 / 256, 128}),
      activation("elu", is_elu, emit_elu),
  };
  list[1].why_not = slope_is_computed;
  return list;
}

}  // namespace fusekit::quantize
