#pragma once

#include <cstddef>
#include <vector>

#include "fusekit/bench_report.h"

namespace fusekit::bench {

/// All timed runs of a variant in a process.
std::vector<double> runs_of(const ProcessTrace& trace, std::size_t variant);

/// The same in all processes.
std::vector<double> runs_of(const std::vector<ProcessTrace>& traces, std::size_t variant);

/// What a run of the variant cost, one figure a block: the mean log of its slots, each by its median. `by_wall`: by the
/// slot's wall time over its number of runs, which is what several streams together achieve.
std::vector<double> log_costs(const ProcessTrace& trace, std::size_t variant, bool by_wall);

}  // namespace fusekit::bench
