#pragma once

#include <functional>
#include <vector>

#include "quantize/lower/build.h"
#include "quantize/observe/calibrate.h"
#include "quantize/observe/samples.h"
#include "quantize/qconfig.h"

namespace fusekit::quantize {

/// What of a layer is fitted.
enum class Fit {
  bias,    ///< weights are rounded to nearest, biases make up for what that and the layers before lost
  weights  ///< their scales and levels, then the biases
};

/// Weights of convolutions and linears with which their outputs on real data come out as the float network's: each layer
/// sees what the int8 network gives it (with the errors of all layers before it) and what the float network would have
/// given it, and makes up for the difference with its scales, its levels (rounding.h) and its bias (fitted_bias.h).
/// Layers are fitted one by one, in the order in which they run, each in the network that is left by those before it:
/// errors that were measured together would be made up for twice.
/// `nearest`: the int8 network with the nearest weights. Transposed convolutions, and layers inside of control flow,
/// keep those. Both networks run once on each sample, side by side (lockstep.h).
/// Memory: as many samples as it takes to hold a gigabyte of activations, at least 8; and a layer's moments (moments.h).
WeightQuantizer fitted_weights(const Observed& observed, const WeightScheme& scheme, Built nearest,
                               const std::vector<Sample>& samples, Fit what, const Progress& progress);

}  // namespace fusekit::quantize
