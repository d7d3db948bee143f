#pragma once

#include <ATen/ATen.h>

#include "fusekit/verify.h"

namespace fusekit::gate {

/// The figures of `b` against `a`: two dense tensors of one shape, floating point or complex. They are computed in
/// double over the elements that are finite in both; where a is zero everywhere, any difference is an infinite max_rel.
/// Equal tensors, and tensors without elements: no error, infinite SQNR, cosine 1.
OutputError measure(const at::Tensor& a, const at::Tensor& b);

/// Signal-to-quantization-noise ratio in dB, 10 log10(sum a^2 / sum (a-b)^2), of the two sums.
double sqnr_db(double signal, double noise);

/// The worse of the two, figure by figure.
OutputError worse(const OutputError& a, const OutputError& b);

}  // namespace fusekit::gate
