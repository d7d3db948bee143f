#pragma once

#include <ATen/ATen.h>

namespace fusekit::quantize {

/// `second` [groups, in, in] with `damping` times the mean of its diagonal's positive numbers added to each number there.
/// Where the diagonal is not positive, the input was always zero: such rows and columns become those of the identity.
at::Tensor damped(const at::Tensor& second, double damping);

/// Upper triangular R [groups, in, in] with R R^T = damped(second, damping). Where that is not positive definite in
/// float32, the damping is raised tenfold until it is. Throws Error (model) where even 10^4 is not enough: not a second
/// moment.
at::Tensor upper_factor(const at::Tensor& second, double damping);

/// `right` [groups, rows, in] times the inverse of damped(second, damping).
at::Tensor times_inverse(const at::Tensor& right, const at::Tensor& second, double damping);

}  // namespace fusekit::quantize
