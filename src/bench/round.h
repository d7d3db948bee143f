#pragma once

#include <functional>

#include "bench/schedule.h"
#include "bench/team.h"
#include "fusekit/bench.h"

namespace fusekit::bench {

/// Called between two runs: shows progress, throws where the user wants to stop.
using Tick = std::function<void()>;

/// A round, and what it cost in seconds.
struct RoundResult {
  ProcessTrace trace;
  double first_block_at = 0;  ///< on the clock
  double block_seconds = 0;   ///< the longest
};

/// What happens between the start and the end of a team: load in a random order, warm up until steady, blocks A B B A
/// until `deadline` (seconds on `clock`), of which there is at least one.
RoundResult run_round(std::size_t variants, const Options& options, Clock& clock, Schedule& schedule, Team& team,
                      double deadline, const Tick& tick);

}  // namespace fusekit::bench
