#pragma once

#include "fusekit/quantize_names.h"
#include "quantize/observe/observer.h"
#include "quantize/weights/weight.h"

namespace fusekit::quantize {

/// How a network's activations are observed and its weights scaled.
struct QConfig {
  Qconfig name;
  ObserverKind activation = ObserverKind::min_max;
  Levels activation_levels = kUnsigned8;
  WeightScheme weight;
};

/// The qconfig of that name; "automatic" is the caller's choice among full and reduced.
///   qnnpack, x86, fbgemm: PyTorch's get_default_qconfig: histogram activations, in x86's and fbgemm's with
///     reduced levels; weights per tensor in qnnpack's, per channel in the others.
///   full: all 256 levels over the range of least squared error, weights per channel at max / 127: for engines that
///     don't saturate.
///   reduced: the same with 128 levels, for engines that do (fbgemm and x86 without VNNI).
QConfig qconfig(Qconfig name);

}  // namespace fusekit::quantize
