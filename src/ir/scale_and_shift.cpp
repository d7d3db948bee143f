#include "ir/scale_and_shift.h"

#include "ir/constants.h"

namespace fusekit::ir {

std::optional<ScaleAndShift> scale_and_shift(const BatchNorm& norm, const Program& program) {
  const at::NoGradGuard no_grad;
  const auto constant = [&](const Value* value) { return constant_tensor(program, value); };
  const auto mean = constant(norm.mean);
  const auto var = constant(norm.var);
  const auto gamma = constant(norm.gamma);
  const auto beta = constant(norm.beta);
  if (!mean || !var || !norm.eps || !(gamma || is_none(norm.gamma)) || !(beta || is_none(norm.beta)))
    return std::nullopt;
  const at::Tensor variance = var->to(at::kDouble) + *norm.eps;
  if (!at::logical_and(variance > 0, at::isfinite(variance)).all().item<bool>()) return std::nullopt;
  at::Tensor scale = variance.rsqrt();
  if (gamma) scale = scale * gamma->to(at::kDouble);
  at::Tensor shift = -mean->to(at::kDouble) * scale;
  if (beta) shift = shift + beta->to(at::kDouble);
  return ScaleAndShift{scale, shift};
}

}  // namespace fusekit::ir
