#include "quantize/observe/qparams.h"

#include <algorithm>
#include <cmath>

namespace fusekit::quantize {

// Everything below is computed in float32, because PyTorch does: in double, some scales would differ in the last bit.

QParams affine_qparams(Range range, Levels levels) {
  const float low = std::min(static_cast<float>(range.min), 0.0F);
  const float high = std::max(static_cast<float>(range.max), 0.0F);
  const float scale = std::max((high - low) / static_cast<float>(levels.steps()), static_cast<float>(kSmallestScale));
  // nearbyint rounds halves to even, as torch.round does
  const auto zero_point = levels.low - static_cast<std::int64_t>(std::nearbyint(low / scale));
  return {scale, std::clamp(zero_point, levels.low, levels.high)};
}

QParams symmetric_qparams(Range range, Levels levels) {
  const float low = std::min(static_cast<float>(range.min), 0.0F);
  const float largest = std::max(-low, static_cast<float>(range.max));
  const auto half_steps = static_cast<float>(static_cast<double>(levels.steps()) / 2);
  const float scale = std::max(largest / half_steps, static_cast<float>(kSmallestScale));
  return {scale, levels.low < 0 ? 0 : (levels.low + levels.high + 1) / 2};
}

}  // namespace fusekit::quantize
