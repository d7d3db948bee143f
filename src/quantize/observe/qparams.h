#pragma once

#include <cstdint>

namespace fusekit::quantize {

/// How a real number is kept as an integer, per tensor: real = scale * (level - zero_point). `scale` is a float32 value.
struct QParams {
  double scale = 1;
  std::int64_t zero_point = 0;

  bool operator==(const QParams&) const = default;
};

/// The integers that may be used.
struct Levels {
  std::int64_t low = 0;
  std::int64_t high = 255;

  [[nodiscard]] std::int64_t steps() const { return high - low; }
  bool operator==(const Levels&) const = default;
};

inline constexpr Levels kUnsigned8{0, 255};         ///< quint8
inline constexpr Levels kUnsigned8Reduced{0, 127};  ///< quint8 with reduce_range: two products fit 16 bits (fbgemm)
inline constexpr Levels kSigned8{-128, 127};        ///< qint8
inline constexpr Levels kSigned8Narrow{-127, 127};  ///< qint8 without -128: negating a level never overflows

/// Real numbers from `min` to `max`, both float32 values.
struct Range {
  double min = 0;
  double max = 0;

  bool operator==(const Range&) const = default;
};

/// The smallest scale that is given: float32's epsilon, as in PyTorch.
inline constexpr double kSmallestScale = 0x1p-23;

/// Scale and zero point that map `range`, stretched to hold 0, onto `levels`, so that 0 is exact. The arithmetic and its
/// roundings are those of PyTorch's UniformQuantizationObserverBase._calculate_qparams with an affine qscheme.
QParams affine_qparams(Range range, Levels levels);

/// The same for a symmetric qscheme: the scale is the largest magnitude over half the steps of `levels` (127.5 for
/// qint8), the zero point 0 for signed levels and the middle, rounded up, for unsigned ones (128 for quint8).
QParams symmetric_qparams(Range range, Levels levels);

}  // namespace fusekit::quantize
