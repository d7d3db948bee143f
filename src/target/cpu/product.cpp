#include "target/cpu/product.h"

namespace fusekit::target {
namespace {

/// Up to so many rows the plain product costs least, in float: a call of oneDNN's takes longer than its arithmetic. (In
/// bfloat16 the plain one arranges its weights anew in every call.)
constexpr std::int64_t kFewRows = 16;
/// Up to so many, in float, MKL's with an activation in place.
constexpr std::int64_t kRowsForMkl = 200;
/// With large weights MKL's arithmetic is faster on Intel's CPUs, by more than the activation's pass over the output
/// costs, up to so many rows.
constexpr std::int64_t kLargeWeight = 128 * 1024;
constexpr std::int64_t kRowsForMklWithLargeWeight = 2048;

bool is_intel() {
#if defined(__x86_64__)
  return __builtin_cpu_is("intel") != 0;
#else
  return false;
#endif
}

bool is_faster_by_mkl(const at::Tensor& weight, std::int64_t rows) {
  return rows <= kRowsForMkl || (weight.numel() >= kLargeWeight && rows <= kRowsForMklWithLargeWeight && is_intel());
}

}  // namespace

Packing packing_of_product(const at::Tensor& weight, std::int64_t rows) {
  if (weight.scalar_type() != at::kFloat) return Packing::linear;
  if (rows <= kFewRows) return Packing::matrix;
  return is_faster_by_mkl(weight, rows) && PackedLayers::is_supported(Packing::mkl) ? Packing::mkl : Packing::linear;
}

}  // namespace fusekit::target
