#pragma once

#include <string>

#include "cli/bench_options.h"
#include "cli/console.h"

namespace fusekit::cli {

/// One file in this process, with speed_benchmark_torch's lines on stdout and what FuseKit adds on stderr, or all of it as
/// JSON. `inputs`: what it is run on, in words.
void bench_once(const BenchFlags& flags, const bench::Variant& variant, const std::string& inputs,
                const Console& console);

}  // namespace fusekit::cli
