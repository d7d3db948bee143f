#include "quantize/weights/weight.h"

#include <algorithm>
#include <cmath>

#include "fusekit/error.h"
#include "quantize/observe/observer.h"

namespace fusekit::quantize {
namespace {

/// The largest magnitude of each channel along `axis`, float32.
at::Tensor largest_magnitudes(const at::Tensor& weight, bool per_channel, std::int64_t axis) {
  const at::Tensor magnitudes = weight.detach().to(at::kFloat).abs();
  if (!per_channel) return magnitudes.max().reshape({1});
  return magnitudes.movedim(axis, 0).reshape({weight.size(axis), -1}).amax(1);
}

double scale_of(double largest, const WeightScheme& scheme) {
  if (std::isnan(largest)) throw NotFinite(true);
  if (std::isinf(largest)) throw NotFinite(false);
  if (scheme.scale == WeightScale::half_of_steps) return symmetric_qparams({-largest, largest}, scheme.levels).scale;
  const auto highest = static_cast<float>(std::min(-scheme.levels.low, scheme.levels.high));
  return std::max(static_cast<float>(largest) / highest, static_cast<float>(kSmallestScale));
}

/// `scales` as a float32 tensor that broadcasts along `axis` of `dimensions` dimensions.
at::Tensor along_axis(const std::vector<double>& scales, std::int64_t axis, std::int64_t dimensions) {
  std::vector<std::int64_t> shape(dimensions, 1);
  if (scales.size() > 1) shape.at(axis) = static_cast<std::int64_t>(scales.size());
  return at::tensor(scales, at::kDouble).to(at::kFloat).view(shape);
}

}  // namespace

std::vector<double> weight_scales(const at::Tensor& weight, const WeightScheme& scheme, std::int64_t axis) {
  if (weight.numel() == 0) throw Error(ErrorKind::model, "a weight without elements can't be quantized");
  const at::Tensor largest = largest_magnitudes(weight, scheme.per_channel, axis).contiguous();
  const auto* values = largest.data_ptr<float>();
  std::vector<double> scales(largest.numel());
  std::transform(values, values + scales.size(), scales.begin(), [&](float value) { return scale_of(value, scheme); });
  return scales;
}

at::Tensor nearest_levels(const at::Tensor& weight, const std::vector<double>& scales, std::int64_t axis,
                          Levels levels) {
  const at::Tensor inverse = along_axis(scales, axis, weight.dim()).reciprocal();  // fbgemm::Quantize multiplies by it
  return weight.detach().to(at::kFloat).mul(inverse).round().clamp(levels.low, levels.high).to(at::kChar);
}

at::Tensor quantized_weight(const at::Tensor& levels, const std::vector<double>& scales, std::int64_t axis,
                            bool per_channel) {
  if (!per_channel && scales.size() == 1) return at::_make_per_tensor_quantized_tensor(levels, scales.front(), 0);
  return at::_make_per_channel_quantized_tensor(levels, at::tensor(scales, at::kDouble),
                                                at::zeros({static_cast<std::int64_t>(scales.size())}, at::kLong), axis);
}

at::Tensor quantize_weight(const at::Tensor& weight, const WeightScheme& scheme, std::int64_t axis) {
  const std::vector<double> scales = weight_scales(weight, scheme, axis);
  return quantized_weight(nearest_levels(weight, scales, axis, scheme.levels), scales, axis, scheme.per_channel);
}

}  // namespace fusekit::quantize
