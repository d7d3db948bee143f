#include "quantize/weights/cholesky.h"

#include <algorithm>
#include <cmath>

#include "fusekit/error.h"

namespace fusekit::quantize {
namespace {

/// Lower triangular L with L L^T = flipped where `flip`, else damped(second, damping); more damping where it fails.
at::Tensor lower_factor(const at::Tensor& second, double damping, bool flip) {
  constexpr double most = 1e4;
  const bool finite = std::isfinite(second.sum().item<double>());
  for (double tried = damping; finite && tried <= most; tried = std::max(tried * 10, 1e-6)) {
    const at::Tensor matrix = damped(second, tried);
    const auto [factor, info] = at::linalg_cholesky_ex(flip ? matrix.flip({1, 2}) : matrix);
    if (info.count_nonzero().item<std::int64_t>() == 0) return factor;
  }
  throw Error(ErrorKind::model, "inputs of a layer have no second moment that could be used",
              "are the calibration data finite?");
}

}  // namespace

at::Tensor damped(const at::Tensor& second, double damping) {
  const at::Tensor diagonal = second.diagonal(0, 1, 2);
  const at::Tensor alive = diagonal > 0;
  const at::Tensor both_alive = alive.unsqueeze(1).logical_and(alive.unsqueeze(2));
  at::Tensor result = second.masked_fill(both_alive.logical_not(), 0);
  const at::Tensor mean = diagonal.clamp_min(0).sum(1, true) / alive.sum(1, true).clamp_min(1);
  result.diagonal(0, 1, 2).add_(mean * damping).masked_fill_(alive.logical_not(), 1);
  return result;
}

at::Tensor upper_factor(const at::Tensor& second, double damping) {
  // the flipped matrix's lower factor, flipped back, is upper
  return lower_factor(second, damping, true).flip({1, 2}).contiguous();
}

at::Tensor times_inverse(const at::Tensor& right, const at::Tensor& second, double damping) {
  const at::Tensor factor = lower_factor(second, damping, false);
  return at::cholesky_solve(right.transpose(1, 2), factor).transpose(1, 2);
}

}  // namespace fusekit::quantize
