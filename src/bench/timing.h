#pragma once

#include <vector>

#include "fusekit/bench.h"

namespace fusekit::bench {

/// Runs `lead_in` times, then `runs` times with the clock read before and after each; microseconds.
std::vector<double> time_runs(Runner& runner, Clock& clock, int lead_in, int runs);

}  // namespace fusekit::bench
