#pragma once

#include "target/target.h"

namespace fusekit::target {

/// Plain operators that every LibTorch runs. What worked in place in the original works in place again, and so does the
/// activation at the end of each group.
Target portable();

}  // namespace fusekit::target
