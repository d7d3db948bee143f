#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace fusekit::quantize {

/// How a layer reads its input. Without a kernel: a linear, whose features are the last dimension. A transposed
/// convolution is told with a kernel of ones: each of its weight's taps is then a row of its own of the weight matrix
/// (exact where stride >= kernel, else the overlap of neighbouring taps is left out).
struct Window {
  std::vector<std::int64_t> kernel;  ///< 1, 2 or 3 numbers; the others have as many, or are empty for the usual values
  std::vector<std::int64_t> stride;
  std::vector<std::int64_t> padding;  ///< zeros on both sides
  std::vector<std::int64_t> dilation;
  std::int64_t groups = 1;
};

/// What the layer multiplies its weight with: [groups, rows, in], float32, one row for each place where the window can
/// lie, in = channels / groups * kernel elements, in the order of the weight's own elements. So
/// out = rows @ weight_matrix^T in each group.
/// At most `most` rows are taken, at places spread evenly (the golden ratio's sequence) that depend on `sample` only:
/// other samples, other places; the same sample and shape, the same places. Nothing is computed for the others.
/// `x`: [batch, channels, ...] or without the batch, for a linear [..., in]; any floating-point type.
/// Throws Error (model) where the window doesn't fit into `x`.
at::Tensor input_rows(const at::Tensor& x, const Window& window, std::int64_t most, std::int64_t sample);

/// A layer's weight as [groups, out / groups, in]: a view where it can be. Conv1d/2d/3d: [out, in / groups, kernel...],
/// linear: [out, in].
at::Tensor weight_matrix(const at::Tensor& weight, std::int64_t groups);

}  // namespace fusekit::quantize
