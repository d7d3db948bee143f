#pragma once

#include <string>
#include <vector>

#include "cli/bench_options.h"
#include "cli/console.h"
#include "fusekit/bench.h"

namespace fusekit::cli {

/// speed_benchmark_torch's last line.
std::string last_line(double us);

/// The report as JSON, with the results of the regression checks.
std::string json_with_checks(const bench::Report& report, const std::vector<bench::RegressionCheck>& checks);

/// Prints the report to stdout in the format that the options ask for, and warnings to stderr (Markdown contains them).
void print_report(const bench::Report& report, const std::vector<bench::RegressionCheck>& checks,
                  const BenchFlags& flags, const Console& console);

}  // namespace fusekit::cli
