#pragma once

#include <ATen/ATen.h>

namespace fusekit::quantize {

// Centred moments of rows [groups, rows, ...]: what counts where a bias takes care of the means (fitted_bias.h). All zeros
// without rows.

/// mean of (x - mean) (x - mean)^T over the rows of x [groups, rows, in]: [groups, in, in], float32, symmetric.
at::Tensor second_moment(const at::Tensor& x);

/// mean of (e - mean) (x - mean)^T over the rows of e [groups, rows, out] and x: [groups, out, in], float32.
/// Throws Error (model) where these are not as many.
at::Tensor cross_moment(const at::Tensor& e, const at::Tensor& x);

}  // namespace fusekit::quantize
