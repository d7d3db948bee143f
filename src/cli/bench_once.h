#pragma once

#include "cli/bench_options.h"
#include "cli/console.h"

namespace fusekit::cli {

/// One file in this process, with speed_benchmark_torch's lines on stdout and what FuseKit adds on stderr, or all of it as
/// JSON.
void bench_once(const BenchFlags& flags, const bench::Variant& variant, const Console& console);

}  // namespace fusekit::cli
