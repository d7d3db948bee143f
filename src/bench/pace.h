#pragma once

#include <cstddef>

namespace fusekit::bench {

/// What a round costs, in seconds.
struct Pace {
  double start = 0;  ///< until the first block: start of the processes, loads, warm-up
  double block = 0;  ///< each block
};

constexpr int kLeastPlanned = 8;  ///< processes, where there is time: the least for a signed-rank interval
constexpr int kFirstGuess = 10;   ///< before the first round has shown its pace

/// The shortest time that is well spent on a round: half as long in blocks as for its start, and at least four blocks.
double worthwhile(const Pace& pace);

/// How many processes share `seconds`, of which `left` are left after the first `done` ones. The interval narrows with
/// the number of processes more than with their length, as placement in memory differs between them: as many as have a
/// worthwhile time each, but no more than 16 and, as long as each still has a block, no fewer than 8; three even where
/// that takes too long. Even, so that each order of loading occurs as often as its reverse.
std::size_t processes_for(double seconds, double left, std::size_t done, const Pace& pace);

}  // namespace fusekit::bench
