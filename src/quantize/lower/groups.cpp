#include "quantize/lower/groups.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace fusekit::quantize {
namespace {

constexpr std::int64_t kMostGroups = 100;  // should_use_onednn_quant in ATen's OnednnUtils.h
constexpr std::int64_t kMostMerged = 16;   // what is computed for nothing grows with it
constexpr std::int64_t kMostWork = 150;   // taps times merged groups for each step of the window; then float is as fast
constexpr std::int64_t kVector = 16;      // int32 numbers in a register of AVX-512; AVX2 has half of them
constexpr std::int64_t kLongKernel = 13;  // hangs were seen from 14 on
constexpr std::int64_t kLeastChannelsToHang = 16;

/// The layer's groups as they would be written.
struct Shape {
  std::int64_t groups;
  std::int64_t in;  ///< channels of a group
  std::int64_t out;

  [[nodiscard]] Shape merged(std::int64_t count) const { return {groups / count, in * count, out * count}; }
};

/// A depthwise kernel that is long in its last dimension: oneDNN 3.12's brdgmm kernel finds no register for the weights
/// and loops for ever, depending on the width, the number of threads and the CPU. Below 16 channels it isn't used so.
bool may_hang(const ir::Convolution& convolution, const Shape& shape, const at::Tensor& weight,
              const ir::Geometry& geometry) {
  return !convolution.transposed && shape.in == 1 && shape.out == 1 && shape.groups >= kLeastChannelsToHang &&
         weight.size(-1) >= kLongKernel && geometry.stride.back() == 1 && geometry.dilation.back() == 1;
}

/// fbgemm's kernel for groups takes as many of them together as fit into a register, and writes past its buffers where
/// some are left over.
bool overruns(const Shape& shape, const at::Tensor& weight) {
  const auto kernel = weight.sizes().slice(2);
  const bool is_its_own = kernel.size() > 1 && std::all_of(kernel.begin(), kernel.end(), [](auto k) { return k == 3; });
  const bool is_narrow = shape.in == shape.out && (shape.in == 2 || shape.in == 4);
  const std::int64_t channels = shape.groups * shape.in;
  return is_its_own && is_narrow && channels > kVector / 2 && channels % kVector != 0;
}

/// How many groups to make one: the fewest with which every engine is right and groups have a width that its kernels
/// are made for (a multiple of 8 channels, else of 4). 0: none.
std::int64_t fewest_to_merge(const Shape& shape, const at::Tensor& weight) {
  for (const std::int64_t width : {8, 4})
    for (std::int64_t count = 2; count <= kMostMerged; ++count) {
      if (shape.groups % count != 0) continue;
      const Shape merged = shape.merged(count);
      if (merged.groups <= kMostGroups && merged.in % width == 0 && merged.out % width == 0 &&
          !overruns(merged, weight))
        return count;
    }
  return 0;
}

std::int64_t taps_of(const at::Tensor& weight) {
  const auto kernel = weight.sizes().slice(2);
  return std::accumulate(kernel.begin(), kernel.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace

Grouping grouping_of(const ir::Convolution& convolution, const at::Tensor& weight, const ir::Geometry& geometry) {
  const std::int64_t first = weight.size(0) / convolution.groups;
  const Shape shape{convolution.groups, convolution.transposed ? first : weight.size(1),
                    convolution.transposed ? weight.size(1) : first};
  const bool is_slow = shape.groups > kMostGroups;
  const bool hangs = may_hang(convolution, shape, weight, geometry);
  const bool overrun = !convolution.transposed && overruns(shape, weight);
  if (!is_slow && !hangs && !overrun) return {};
  const bool stays_right = !convolution.transposed || shape.in == shape.out;  // merged, the sides may be swapped
  const std::int64_t merged = stays_right ? fewest_to_merge(shape, weight) : 0;
  // A float convolution of one dimension is so slow that int8 pays with any kernel.
  const bool pays = geometry.spatial() == 1 || merged * taps_of(weight) <= kMostWork * geometry.stride.back();
  if (merged > 0 && pays) return {merged, {}};
  if (hangs) return {1, {ReasonCode::long_depthwise_kernel, weight.size(-1)}};
  if (overrun) return {1, {ReasonCode::unsafe_groups, shape.groups, shape.in}};
  return {1, {ReasonCode::many_groups, kMostGroups, shape.groups}};
}

at::Tensor merge_groups(const at::Tensor& levels, std::int64_t groups, std::int64_t merged) {
  const std::int64_t each = levels.size(0) / groups;  // of dimension 0
  const std::int64_t channels = levels.size(1);
  const at::Tensor parts = levels.contiguous().view({groups / merged, merged, each, channels, -1});
  at::Tensor result = at::zeros({groups / merged, merged, each, merged, channels, parts.size(-1)}, levels.options());
  result.diagonal(0, 1, 3).copy_(parts.permute({0, 2, 3, 4, 1}));
  std::vector<std::int64_t> sizes = levels.sizes().vec();
  sizes[1] *= merged;
  return result.view(sizes);
}

}  // namespace fusekit::quantize
