#pragma once

#include <set>
#include <string>

#include "fusekit/bench_once.h"
#include "fusekit/bench_profile.h"

namespace fusekit::bench {

/// Measures what this process reaches on LibTorch's threads: products of large matrices in each of `dtypes` ("float",
/// "bfloat16", "half", "double", "int8"; others are left out), reading and copying for data of growing size, the call of
/// an operator, and page faults. The best of several runs each; it takes about `seconds`.
MachineSpeed measure_speed(const std::set<std::string>& dtypes, Clock& clock, double seconds);

/// The better of two measurements.
MachineSpeed better_of(MachineSpeed a, const MachineSpeed& b);

}  // namespace fusekit::bench
