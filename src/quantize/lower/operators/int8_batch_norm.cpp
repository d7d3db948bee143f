// batch_norm (+ ReLU) that no convolution could take -> quantized::batch_norm[_relu], its scale a number: the recipe's
// bn+relu, which torch.ao scripts with a tensor of shape [1] that throws at the first run.
#include "ir/operators.h"
#include "quantize/lower/operators/int8_operators.h"

namespace fusekit::quantize {
namespace {

bool is_batch_norm(Node* node) { return ir::as_batch_norm(node).has_value(); }

bool is_float_constant(const Value* value, const ir::Program& program) {
  const auto tensor = ir::constant_tensor(program, value);
  return tensor && tensor->scalar_type() == at::kFloat;
}

Reason why_not_batch_norm(Node* node, const ir::Program& program) {
  const auto norm = *ir::as_batch_norm(node);
  if (!norm.training) return ReasonCode::training_unknown;
  if (*norm.training) return ReasonCode::batch_statistics;
  if (!norm.eps) return ReasonCode::eps_computed;
  if (!is_float_constant(norm.mean, program) || !is_float_constant(norm.var, program))
    return ReasonCode::statistics_not_constant;
  // The int8 kernels read both without asking whether they are there.
  if (!is_float_constant(norm.gamma, program) || !is_float_constant(norm.beta, program))
    return ReasonCode::affine_not_constant;
  return {};
}

std::vector<Value*> batch_norm_inputs(Node* node) { return {ir::as_batch_norm(node)->input}; }

Value* emit_batch_norm(const Step& step, Emitter& emitter) {
  const auto norm = *ir::as_batch_norm(step.front());
  const bool relu = ends_in_relu(step);
  return emitter.insert(
      step, relu ? "quantized::batch_norm_relu" : "quantized::batch_norm",
      with_qparams({emitter.int8(step.inputs[0]), norm.gamma, norm.beta, norm.mean, norm.var, *norm.eps},
                   emitter.output_qparams(step)));
}

}  // namespace

Conversion batch_norm() {
  return {.name = "BatchNorm",
          .summary = "batch_norm that was not folded, with the ReLU or clamp behind it",
          .matches = is_batch_norm,
          .why_not = why_not_batch_norm,
          .inputs = batch_norm_inputs,
          .emit = emit_batch_norm,
          .precondition = Precondition::any_input,
          .absorbs_clamp = true,
          .ranks = any_batched_rank};
}

}  // namespace fusekit::quantize
