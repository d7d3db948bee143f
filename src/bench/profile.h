#pragma once

#include "fusekit/bench.h"

namespace fusekit::bench {

/// Loads the variant in this process and measures each operator with LibTorch's observer (RecordFunction), and what the
/// machine can reach. After the warm-up, runs with and without the observer take turns, at least five of each, until
/// `seconds` have passed; the lower quartile of each operator's times counts. One more run tells the work of each operator.
Profile profile(const Variant& variant, Clock& clock, double seconds);

}  // namespace fusekit::bench
