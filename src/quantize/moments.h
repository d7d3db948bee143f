#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace fusekit::quantize {

/// Means over many rows of a layer's inputs, x [groups, rows, in] (input_rows.h), and of what its outputs lack because of
/// them, e [groups, rows, out / groups]: W (y - x), where y is what the layer should have read. Its size is fixed:
/// groups * in * (in + out / groups) float32 numbers.
class Moments {
 public:
  Moments(std::int64_t groups, std::int64_t in, std::int64_t out_per_group);

  /// More rows. Throws Error (model) where the shapes differ from what was said.
  void add(const at::Tensor& x, const at::Tensor& e);

  [[nodiscard]] std::int64_t rows() const { return rows_; }

  /// mean of x: [groups, in]. All zeros without rows, as are the others.
  [[nodiscard]] at::Tensor mean() const;
  /// mean of e: [groups, out / groups].
  [[nodiscard]] at::Tensor mean_lack() const;

  // Centred: what counts where the bias is corrected afterwards (corrected_bias).

  /// mean of (x - mean) (x - mean)^T: [groups, in, in], symmetric.
  [[nodiscard]] at::Tensor second() const;
  /// mean of (e - mean_lack) (x - mean)^T: [groups, out / groups, in].
  [[nodiscard]] at::Tensor lacking() const;

 private:
  void flush() const;
  [[nodiscard]] at::Tensor over_rows(const at::Tensor& sum) const;

  std::int64_t rows_ = 0;
  // rows wait until there are enough for an efficient product; reading flushes them
  mutable std::vector<at::Tensor> waiting_x_, waiting_e_;
  mutable std::int64_t waiting_rows_ = 0;
  mutable at::Tensor second_, lacking_;
  at::Tensor sum_x_, sum_e_;
};

/// The bias that makes the mean output right: bias + mean lack + (weight - told) @ mean of x. `weight` and `told` are
/// [groups, out / groups, in] float32: the weight and what was made of it; `bias` [out] may be undefined. float32.
at::Tensor corrected_bias(const at::Tensor& bias, const at::Tensor& weight, const at::Tensor& told,
                          const Moments& moments);

}  // namespace fusekit::quantize
