#pragma once

#include <functional>

#include "bench/schedule.h"
#include "bench/worker_pool.h"
#include "fusekit/bench.h"

namespace fusekit::bench {

/// Called between two runs: shows the progress; throws where the user has interrupted.
using Tick = std::function<void()>;

/// The trace of a round and its cost in seconds.
struct RoundResult {
  ProcessTrace trace;
  double first_block_at = 0;  ///< start of the first block, as `clock` shows it
  double block_seconds = 0;   ///< of the longest block
  bool interrupted = false;   ///< the trace has the blocks until then, and no usage
};

/// Runs one round in the processes of `pool`: loads the variants in a random order, warms up until they are steady, then
/// runs blocks A B B A until `deadline` (seconds on `clock`), but at least one. Interrupted where there is none yet.
RoundResult run_round(std::size_t variants, const Options& options, Clock& clock, Schedule& schedule, WorkerPool& pool,
                      double deadline, const Tick& tick);

}  // namespace fusekit::bench
