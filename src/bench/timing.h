#pragma once

#include <vector>

#include "fusekit/bench.h"

namespace fusekit::bench {

/// Runs `lead_in` times, then `runs` times with the clock read before and after each.
Times time_runs(Runner& runner, Clock& clock, int lead_in, int runs);

/// Copies of one variant that share nothing that is written.
using Streams = std::vector<std::unique_ptr<Runner>>;

/// The same for each of the streams, each in a thread of its own; the timed runs of all begin together. What one throws
/// is thrown.
Times time_streams(Streams& streams, Clock& clock, int lead_in, int runs);

}  // namespace fusekit::bench
