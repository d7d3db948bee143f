#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "quantize/observe/qparams.h"

namespace fusekit::quantize {

/// How the largest magnitude of a weight, or of one of its channels, becomes its scale. The zero point is always 0.
enum class WeightScale {
  half_of_steps,  ///< max|w| / 127.5 for qint8, as PyTorch's symmetric observers: +max is clipped by half a step
  highest_level,  ///< max|w| / 127: nothing is clipped
};

struct WeightScheme {
  bool per_channel = true;
  Levels levels = kSigned8;
  WeightScale scale = WeightScale::half_of_steps;
};

/// One scale for each channel along `axis` of `weight` (float32), or a single one: float32 values, kSmallestScale at
/// least, so that a channel of zeros stays zeros. half_of_steps gives those of PyTorch's MinMaxObserver and
/// PerChannelMinMaxObserver with a symmetric qscheme. Throws NotFinite (observer.h) where the weight has a NaN or an
/// infinity.
std::vector<double> weight_scales(const at::Tensor& weight, const WeightScheme& scheme, std::int64_t axis);

/// The nearest levels, int8, of the weight's shape: round(w / scale), clamped to `levels`, rounded as
/// at::quantize_per_channel rounds. `scales`: one, or one a channel along `axis`.
at::Tensor nearest_levels(const at::Tensor& weight, const std::vector<double>& scales, std::int64_t axis,
                          Levels levels);

/// The qint8 tensor of these int8 levels: per channel along `axis` where there are several scales or `per_channel` asks
/// for it, else per tensor.
at::Tensor quantized_weight(const at::Tensor& levels, const std::vector<double>& scales, std::int64_t axis,
                            bool per_channel);

/// The weight as a qint8 tensor, nearest rounding.
at::Tensor quantize_weight(const at::Tensor& weight, const WeightScheme& scheme, std::int64_t axis);

}  // namespace fusekit::quantize
