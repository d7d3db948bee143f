#pragma once

#include <cstddef>

namespace fusekit::bench {

/// The measured cost of a round, in seconds.
struct RoundCost {
  double startup = 0;  ///< until the first block: start of the processes, loads, warm-up
  double block = 0;    ///< of each block
};

constexpr int kMinPlanned = 8;    ///< processes, where there is time for them: the minimum for a signed-rank interval
constexpr int kInitialPlan = 10;  ///< processes, before the first round has shown what a round costs

/// The shortest time that is worth spending on a round: blocks for half of the start-up time, and at least four blocks.
double min_useful_seconds(const RoundCost& cost);

/// The number of processes for a measurement of `seconds`, when `done` processes have ended and `left` seconds are left.
/// More processes narrow the interval better than longer ones, because the placement in memory differs from process to
/// process. So the answer is as many as can have min_useful_seconds each, at most 16, and at least 8 while each of them
/// still has time for one block. It is at least 3, even if these take too long. It is even, so that each load order is
/// used as often as its reverse.
std::size_t plan_processes(double seconds, double left, std::size_t done, const RoundCost& cost);

}  // namespace fusekit::bench
