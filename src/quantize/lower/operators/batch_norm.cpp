// batch_norm (+ ReLU) that no convolution could take -> quantized::batch_norm[_relu], its scale a number: the recipe's
// bn+relu, which torch.ao scripts with a tensor of shape [1] that throws at the first run.
#include "quantize/lower/operators/all.h"
#include "rewrite/operators.h"

namespace fusekit::quantize {
namespace {

bool is_batch_norm(const Node* node) { return rewrite::is_batch_norm(const_cast<Node*>(node)); }

WhyNot why_not_batch_norm(Node* node, const ir::Program& program) {
  const auto norm = *rewrite::as_batch_norm(node);
  if (!norm.training || *norm.training) return "it uses the statistics of the batch";
  if (!norm.eps) return "its eps is computed at run time";
  for (const Value* value : {norm.mean, norm.var}) {
    const auto tensor = ir::constant_tensor(program, value);
    if (!tensor || tensor->scalar_type() != at::kFloat) return "its statistics are not constant float32 tensors";
  }
  for (const Value* value : {norm.gamma, norm.beta}) {
    // The int8 kernels read both without asking whether they are there.
    const auto tensor = ir::constant_tensor(program, value);
    if (!tensor || tensor->scalar_type() != at::kFloat) return "its weight and bias are not constant float32 tensors";
  }
  return std::nullopt;
}

std::vector<Value*> batch_norm_inputs(Node* node) { return {rewrite::as_batch_norm(node)->input}; }

Value* emit_batch_norm(const Step& step, Emitter& emitter) {
  const auto norm = *rewrite::as_batch_norm(step.front());
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
          .appetite = Appetite::any_input,
          .absorbs_clamp = true,
          .ranks = any_batched_rank};
}

}  // namespace fusekit::quantize
