#include "verify/metrics.h"

#include <algorithm>
#include <cmath>

namespace fusekit::gate {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

at::Tensor as_doubles(const at::Tensor& tensor) {
  const at::Tensor real = tensor.is_complex() ? at::view_as_real(tensor.resolve_conj()) : tensor;
  return real.detach().to(at::kDouble);
}

double total(const at::Tensor& tensor) { return tensor.sum().item<double>(); }

/// <a,b> / (|a| |b|); 0 where only one of them is zero everywhere.
double cosine(double dot, double a_squared, double b_squared) {
  if (a_squared == 0 && b_squared == 0) return 1;
  if (a_squared == 0 || b_squared == 0) return 0;
  return std::clamp(dot / (std::sqrt(a_squared) * std::sqrt(b_squared)), -1.0, 1.0);
}

/// Scores of classes: a row each, with something to choose from.
bool has_top1(const at::Tensor& tensor) {
  return tensor.dim() == 2 && tensor.is_floating_point() && tensor.size(0) > 0 && tensor.size(1) > 1;
}

double top1_agreement(const at::Tensor& a, const at::Tensor& b) {
  return a.argmax(-1).eq(b.argmax(-1)).to(at::kDouble).mean().item<double>();
}

}  // namespace

double sqnr_db(double signal, double noise) {
  if (noise == 0) return kInfinity;
  return signal == 0 ? -kInfinity : 10 * std::log10(signal / noise);
}

OutputError measure(const at::Tensor& a, const at::Tensor& b) {
  OutputError error;
  if (a.numel() == 0) return error;
  if (has_top1(a)) error.top1 = top1_agreement(a, b);

  at::Tensor x = as_doubles(a);
  at::Tensor y = as_doubles(b);
  const at::Tensor finite = x.isfinite().logical_and(y.isfinite());
  if (!finite.all().item<bool>()) {
    x = x.masked_select(finite);
    y = y.masked_select(finite);
    if (x.numel() == 0) return error;
  }

  const at::Tensor difference = x - y;
  error.max_abs = difference.abs().max().item<double>();
  if (error.max_abs == 0) return error;
  const double largest = x.abs().max().item<double>();
  error.max_rel = largest == 0 ? kInfinity : error.max_abs / largest;
  // Scaled by the largest element, so that squares of very small or large numbers neither vanish nor overflow.
  const double scale = std::max(largest, y.abs().max().item<double>());
  x = x / scale;
  y = y / scale;
  const double x_squared = total(x * x);
  error.sqnr_db = sqnr_db(x_squared, total((x - y).square()));
  error.cosine = cosine(total(x * y), x_squared, total(y * y));
  return error;
}

OutputError worse(const OutputError& a, const OutputError& b) {
  OutputError worst;
  worst.max_abs = std::max(a.max_abs, b.max_abs);
  worst.max_rel = std::max(a.max_rel, b.max_rel);
  worst.sqnr_db = std::min(a.sqnr_db, b.sqnr_db);
  worst.cosine = std::min(a.cosine, b.cosine);
  worst.top1 = a.top1 && b.top1 ? std::min(*a.top1, *b.top1) : a.top1 ? a.top1 : b.top1;
  return worst;
}

}  // namespace fusekit::gate
