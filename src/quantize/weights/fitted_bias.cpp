#include "quantize/weights/fitted_bias.h"

namespace fusekit::quantize {
namespace {

constexpr int kSteps = 5;

at::Tensor clamped(const at::Tensor& x, const std::optional<ir::Interval>& clamp) {
  return clamp ? x.clamp(clamp->low, clamp->high) : x;
}

/// 1 where a shift of x is seen behind the clamp.
at::Tensor seen(const at::Tensor& x, const std::optional<ir::Interval>& clamp) {
  return clamp ? x.gt(clamp->low).logical_and(x.lt(clamp->high)).to(at::kFloat) : at::ones_like(x);
}

}  // namespace

at::Tensor fitted_bias(const at::Tensor& bias, const at::Tensor& wanted, const at::Tensor& got,
                       const std::optional<ir::Interval>& clamp) {
  const std::int64_t groups = got.size(0);
  const std::int64_t each = got.size(2);
  const at::Tensor old =
      bias.defined() ? bias.detach().to(at::kFloat).view({groups, 1, each}) : at::zeros({groups, 1, each});
  if (got.size(1) == 0) return old.flatten().clone();
  const at::Tensor truth = clamped(wanted + old, clamp);
  const auto error = [&](const at::Tensor& b) {
    return (clamped(got + b, clamp) - truth).square().mean(1, true, at::kDouble);
  };
  at::Tensor best = old;
  at::Tensor least = error(old);
  at::Tensor tried = old + (wanted - got).mean(1, true, at::kDouble).to(at::kFloat);
  for (int step = 0;; ++step) {
    const at::Tensor now = error(tried);
    const at::Tensor better = now < least;
    best = at::where(better, tried, best);
    least = at::where(better, now, least);
    if (!clamp || step == kSteps) break;
    const at::Tensor x = got + best;
    const at::Tensor weight = seen(x, clamp);
    const at::Tensor residual = ((truth - clamped(x, clamp)) * weight).sum(1, true) / weight.sum(1, true).clamp_min(1);
    tried = best + residual;
  }
  return best.flatten().clone();
}

}  // namespace fusekit::quantize
