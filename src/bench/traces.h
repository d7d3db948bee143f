#pragma once

#include <cstddef>
#include <vector>

#include "fusekit/bench_report.h"

namespace fusekit::bench {

/// All timed runs of a variant in a process.
std::vector<double> runs_of(const ProcessTrace& trace, std::size_t variant);

/// The same over all processes.
std::vector<double> runs_of(const std::vector<ProcessTrace>& traces, std::size_t variant);

/// The logarithm of the time per run, one value per slot: of the slot's median, or with `by_wall` of its wall time divided
/// by its number of runs (the time per run of several parallel streams together).
std::vector<double> log_costs(const ProcessTrace& trace, std::size_t variant, bool by_wall);

/// Two variants to compare, and whether the time of each one is taken from the wall clock.
struct VariantPair {
  std::size_t a = 0, b = 0;
  bool a_by_wall = false, b_by_wall = false;
};

/// log(time of a run of `a` / time of a run of `b`) for every pair of runs in a block; one list per block. The runs of a
/// block are close to each other in time, and in A B B A each order is equally frequent, so that a drift cancels. A
/// disturbed run affects only its own pairs. Of a slot with more than 16 runs, 16 quantiles are used instead.
std::vector<std::vector<double>> pair_log_ratios(const ProcessTrace& trace, const VariantPair& pair);

}  // namespace fusekit::bench
