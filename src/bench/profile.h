#pragma once

#include "fusekit/bench.h"

namespace fusekit::bench {

/// Loads the variant in this process and runs it under LibTorch's observer of operators (RecordFunction): after
/// its warm-up three runs at least, and more as long as they take less than `seconds` together.
Profile profile(const Variant& variant, Clock& clock, double seconds);

}  // namespace fusekit::bench
