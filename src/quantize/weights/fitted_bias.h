#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "quantize/lower/conversion.h"

namespace fusekit::quantize {

/// The bias with which outputs come nearest to what they should be, channel by channel: the least mean squared error
/// behind the clamp that the layer ends with, which forgives what it hides. It starts at the mean of the error (Nagel et
/// al. 2019, arXiv:1906.04721, section 4.2) and goes on by Gauss-Newton steps where they help; never worse than `bias`.
/// `wanted`, `got`: rows of outputs without a bias, float32 [groups, rows, out / groups]. `bias` [out] may be undefined
/// (zeros). Result: [out], float32.
at::Tensor fitted_bias(const at::Tensor& bias, const at::Tensor& wanted, const at::Tensor& got,
                       const std::optional<ir::Interval>& clamp);

}  // namespace fusekit::quantize
