#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace fusekit::quantize {

/// Means over many rows [groups, rows, in] (input_rows.h) of a layer's inputs x, and, where they are given beside them,
/// of what it should have read: y, the float network's inputs to the same layer. Its size is fixed: groups * in^2 float32
/// numbers, twice that with a cross moment.
class Moments {
 public:
  Moments(std::int64_t groups, std::int64_t in, bool with_cross = false);

  /// Rows of x alone. Throws Error (model) where their shape differs, or a cross moment was asked for.
  void add(const at::Tensor& x);
  /// Rows of x and y, place by place.
  void add(const at::Tensor& x, const at::Tensor& y);

  [[nodiscard]] std::int64_t rows() const { return rows_; }

  /// mean of x x^T: [groups, in, in], symmetric. All zeros without rows.
  [[nodiscard]] at::Tensor second() const;
  /// mean of y x^T: [groups, in, in].
  [[nodiscard]] at::Tensor cross() const;
  /// mean of x: [groups, in].
  [[nodiscard]] at::Tensor mean() const;
  /// mean of y; of x where there is no y.
  [[nodiscard]] at::Tensor mean_of_y() const;

  /// The same less the product of the means: what counts where the bias is corrected afterwards (corrected_bias).
  [[nodiscard]] at::Tensor centred_second() const;
  [[nodiscard]] at::Tensor centred_cross() const;

 private:
  void flush() const;
  [[nodiscard]] at::Tensor over_rows(const at::Tensor& sum) const;

  std::int64_t in_;
  std::int64_t rows_ = 0;
  bool with_cross_;
  // rows wait until there are enough for an efficient product; reading flushes them
  mutable std::vector<at::Tensor> waiting_x_, waiting_y_;
  mutable std::int64_t waiting_rows_ = 0;
  mutable at::Tensor second_, cross_;
  at::Tensor sum_x_, sum_y_;
};

/// The bias that makes the mean output right: bias + weight @ mean of y - told @ mean of x. `weight` and `told` are
/// [groups, out / groups, in] float32: the weight and what was made of it; `bias` [out] may be undefined. float32.
at::Tensor corrected_bias(const at::Tensor& bias, const at::Tensor& weight, const at::Tensor& told,
                          const Moments& moments);

}  // namespace fusekit::quantize
