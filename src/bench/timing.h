#pragma once

#include <vector>

#include "fusekit/bench.h"

namespace fusekit::bench {

/// Runs `lead_in` times untimed, then `runs` times with a reading of the clock before and after each run.
Times time_runs(Runner& runner, Clock& clock, int lead_in, int runs);

/// Copies of one variant that share no data that a run writes.
using Streams = std::vector<std::unique_ptr<Runner>>;

/// The same for all streams in parallel, each in its own thread. The timed runs of all streams begin at the same time. An
/// exception of a stream is rethrown.
Times time_streams(Streams& streams, Clock& clock, int lead_in, int runs);

}  // namespace fusekit::bench
