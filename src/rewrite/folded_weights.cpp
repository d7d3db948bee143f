#include "rewrite/folded_weights.h"

#include "ir/scale_and_shift.h"

namespace fusekit::rewrite {
namespace {

/// The scale along the output channels of a weight: dimension 0, or for a transposed convolution dimension 1 within
/// each group of dimension 0.
at::Tensor scaled(const at::Tensor& weight, const at::Tensor& scale, const ir::Layer& layer) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
  const at::Tensor wide = weight.to(at::kDouble);
  if (!layer.transposed) {
    shape[0] = scale.numel();
    return wide * scale.view(shape);
  }
  std::vector<std::int64_t> grouped = weight.sizes().vec();
  grouped[0] /= layer.groups;
  grouped.insert(grouped.begin(), layer.groups);
  shape.insert(shape.begin(), layer.groups);
  shape[2] = weight.size(1);
  return (wide.reshape(grouped) * scale.view(shape)).reshape(weight.sizes());
}

}  // namespace

FoldedWeights fold(const ir::Layer& layer, const ir::BatchNorm& bn, const ir::Program& program) {
  const at::NoGradGuard no_grad;
  const at::Tensor weight = *ir::constant_tensor(program, layer.weight);
  const auto [scale, shift] = *ir::scale_and_shift(bn, program);
  at::Tensor bias = shift;
  if (!ir::is_none(layer.bias)) bias = bias + scale * ir::constant_tensor(program, layer.bias)->to(at::kDouble);
  return {scaled(weight, scale, layer).to(weight.scalar_type()).contiguous(weight.suggest_memory_format()),
          bias.to(weight.scalar_type())};
}

}  // namespace fusekit::rewrite
