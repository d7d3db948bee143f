#pragma once

#include "quantize/lower/emitter.h"
#include "quantize/qconfig.h"

namespace fusekit::quantize {

/// Rounds each weight to its nearest level; a layer is done once.
WeightQuantizer nearest_weights(const WeightScheme& scheme);

}  // namespace fusekit::quantize
