#pragma once

#include <cstddef>
#include <vector>

#include "fusekit/bench_report.h"

namespace fusekit::bench {

/// All timed runs of a variant in a process.
std::vector<double> runs_of(const ProcessTrace& trace, std::size_t variant);

/// The same in all processes.
std::vector<double> runs_of(const std::vector<ProcessTrace>& traces, std::size_t variant);

/// What a run of the variant cost: the log of each slot's median, or with `by_wall` of its wall time over its number of
/// runs, which is what several streams together achieve.
std::vector<double> log_costs(const ProcessTrace& trace, std::size_t variant, bool by_wall);

/// Which of a report's variants are compared, and whether each goes by the wall clock.
struct Pair {
  std::size_t a = 0, b = 0;
  bool a_by_wall = false, b_by_wall = false;
};

/// log(a run of `a` / a run of `b`), one list a block: every pair of runs that the block has of the two. They lie next
/// to each other in time and, as A B B A has it, as often in one order as in the other, so that a drift cancels; a run
/// that was disturbed spoils its own pairs only. Of a slot with more than 16 runs as many quantiles stand for it.
std::vector<std::vector<double>> pair_log_ratios(const ProcessTrace& trace, const Pair& pair);

}  // namespace fusekit::bench
