#include "rewrite/affine.h"

namespace fusekit::rewrite {
namespace {

/// s and shift of y = s x + shift, in double, of shape (C).
struct ScaleAndShift {
  at::Tensor scale;
  at::Tensor shift;
};

ScaleAndShift scale_and_shift(const BatchNorm& bn, const ir::Program& program) {
  const at::Tensor mean = ir::constant_tensor(program, bn.mean)->to(at::kDouble);
  const at::Tensor var = ir::constant_tensor(program, bn.var)->to(at::kDouble);
  at::Tensor scale = (var + *bn.eps).rsqrt();
  if (!ir::is_none(bn.gamma)) scale = scale * ir::constant_tensor(program, bn.gamma)->to(at::kDouble);
  at::Tensor shift = -mean * scale;
  if (!ir::is_none(bn.beta)) shift = shift + ir::constant_tensor(program, bn.beta)->to(at::kDouble);
  return {scale, shift};
}

/// The scale along the output channels of a weight: dimension 0, or for a transposed convolution dimension 1 within
/// each group of dimension 0.
at::Tensor scaled(const at::Tensor& weight, const at::Tensor& scale, const Affine& affine) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
  const at::Tensor wide = weight.to(at::kDouble);
  if (!affine.transposed) {
    shape[0] = scale.numel();
    return wide * scale.view(shape);
  }
  std::vector<std::int64_t> grouped = weight.sizes().vec();
  grouped[0] /= affine.groups;
  grouped.insert(grouped.begin(), affine.groups);
  shape.insert(shape.begin(), affine.groups);
  shape[2] = weight.size(1);
  return (wide.reshape(grouped) * scale.view(shape)).reshape(weight.sizes());
}

/// Does this operator itself raise on data of another rank?
bool insists_on_rank(Node* node) {
  if (const auto linear = as_linear(node)) return linear->is_addmm;
  return node->kind() == c10::aten::_convolution || node->kind() == c10::aten::convolution ||
         node->kind() == c10::Symbol::aten("_convolution_mode");
}

}  // namespace

Affine affine_of(Node* node) {
  if (const auto convolution = as_convolution(node))
    return {convolution->weight, convolution->bias, convolution->groups, convolution->transposed};
  const auto linear = as_linear(node);
  return {linear->weight, linear->bias, 1, false};
}

std::int64_t output_channels(const at::Tensor& weight, const Affine& affine) {
  return affine.transposed ? weight.size(1) * affine.groups : weight.size(0);
}

Folded fold(const Affine& affine, const BatchNorm& bn, const ir::Program& program) {
  const at::NoGradGuard no_grad;
  const at::Tensor weight = *ir::constant_tensor(program, affine.weight);
  const auto [scale, shift] = scale_and_shift(bn, program);
  at::Tensor bias = shift;
  if (!ir::is_none(affine.bias)) bias = bias + scale * ir::constant_tensor(program, affine.bias)->to(at::kDouble);
  return {scaled(weight, scale, affine).to(weight.scalar_type()).contiguous(weight.suggest_memory_format()),
          bias.to(weight.scalar_type())};
}

std::int64_t expected_rank(Node* node, const Context& context) {
  if (is_linear(node)) return 2;
  return ir::constant_tensor(context.program, affine_of(node).weight)->dim();
}

std::optional<std::int64_t> rank_between(Node* node, Node* batch_norm, Context& context) {
  if (insists_on_rank(node)) return expected_rank(node, context);
  return context.rank(data_input(batch_norm), batch_norm);
}

}  // namespace fusekit::rewrite
