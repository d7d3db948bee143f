#pragma once

#include "fusekit/bench.h"

namespace fusekit::bench {

/// Loads the variant in this process and measures each operator with LibTorch's observer (RecordFunction). After the
/// warm-up it runs at least three times, and until `seconds` have passed.
Profile profile(const Variant& variant, Clock& clock, double seconds);

}  // namespace fusekit::bench
