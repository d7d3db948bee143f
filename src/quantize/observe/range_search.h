#pragma once

#include "quantize/observe/histogram.h"
#include "quantize/observe/qparams.h"

namespace fusekit::quantize {

// Which part of a histogram's range is worth keeping. All are pure functions of a histogram that is not empty.

/// PyTorch's HistogramObserver._non_linear_param_search (after caffe2/quantization/server/norm_minimization.cc): cuts off
/// the ends, 1e-5 of the values at a time, for as long as the L2 error of 256 even levels falls. As there, it counts on
/// 256 levels whatever `levels` are, because quint8 has as many. float32 sums are LibTorch's.
Range least_l2_norm(const Histogram& histogram, Levels levels);

/// Keeps `share` (0 to 1] of the values and cuts off half of the rest on each side (a half that is too small for the
/// values at the very end cuts nothing off). ONNX Runtime's PercentileCalibrater cuts alike.
Range middle_share(const Histogram& histogram, double share);

/// The threshold T for which the values in [max(min, -T), min(max, T)], told in as many even levels as there are, are
/// least different from all the values clamped to it: least Kullback-Leibler divergence. From Migacz, "8-bit inference
/// with TensorRT" (GTC 2017), and MXNet's smoothing of empty bins (python/mxnet/contrib/quantization.py).
Range least_divergence(const Histogram& histogram, Levels levels);

/// The range of least expected squared error with these levels, rounding and clipping together: both ends are searched
/// on a grid, which is then refined around the best. Exact zeros, which cost nothing, count as such.
Range least_squared_error(const Histogram& histogram, Levels levels);

}  // namespace fusekit::quantize
