#pragma once

#include <map>

#include "fusekit/quantize.h"
#include "quantize/lower/build.h"
#include "quantize/score.h"

namespace fusekit::quantize {

/// Tells what int8 cost: the whole network's error, each layer's, and what stayed float and why. `alone_db`: the
/// network's SQNR where a layer alone is int8, as far as it was measured.
void tell_costs(const Built& built, const Judge& judge, const Observed& observed,
                const std::map<const Node*, double>& alone_db, QuantizeReport& report);

}  // namespace fusekit::quantize
