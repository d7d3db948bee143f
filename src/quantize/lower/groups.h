#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "fusekit/reason.h"
#include "ir/operators.h"

namespace fusekit::quantize {

/// In how many groups an int8 convolution is written. LibTorch's engines have convolutions that they compute slowly or
/// wrongly, or never end to prepare, because of their groups (src/quantize/README.md has the measurements):
/// - with more than 100 groups the engine x86, which a plain load has, leaves them to fbgemm;
/// - fbgemm overruns its memory with 3 x 3 kernels and groups of 2 or 4 channels, unless there are just so many of them;
/// - oneDNN may generate code for a depthwise kernel of 13 or more for ever.
/// All of that is gone where several groups are written as one, whose weights between them are zero: the same sums.
struct Grouping {
  std::int64_t merged = 1;  ///< so many groups become one
  Reason why_not;           ///< it can't be written so that every engine is right, ends, and is fast
};

Grouping grouping_of(const ir::Convolution& convolution, const at::Tensor& weight, const ir::Geometry& geometry);

/// The weight of the same convolution (transposed or not) with `merged` of its `groups` made one: int8 levels or floats
/// [size0, channels, kernel...] -> [size0, channels * merged, kernel...].
at::Tensor merge_groups(const at::Tensor& levels, std::int64_t groups, std::int64_t merged);

}  // namespace fusekit::quantize
