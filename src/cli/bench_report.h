#pragma once

#include <string>
#include <vector>

#include "cli/bench_options.h"
#include "cli/console.h"
#include "fusekit/bench.h"

namespace fusekit::cli {

/// speed_benchmark_torch's last line.
std::string last_line(double us);

/// The report's JSON with the gates in it.
std::string json_with_gates(const bench::Report& report, const std::vector<bench::Gate>& gates);

/// The report in the form that was asked for, to stdout; warnings to stderr where that form has no place for them.
void print_report(const bench::Report& report, const std::vector<bench::Gate>& gates, const BenchFlags& flags,
                  const Console& console);

}  // namespace fusekit::cli
