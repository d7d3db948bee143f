#pragma once

#include <string>

#include "cli/bench_options.h"
#include "cli/console.h"

namespace fusekit::cli {

/// Times one file in this process. Prints speed_benchmark_torch's lines to stdout and FuseKit's additions to stderr, or
/// everything as JSON. False where the user stopped it before its end.
bool run_speed_benchmark(const BenchFlags& flags, const bench::Variant& variant, const Console& console);

}  // namespace fusekit::cli
