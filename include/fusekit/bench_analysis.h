#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fusekit/bench_report.h"
#include "fusekit/bench_variant.h"

/// From measured times to figures and verdicts. Pure functions: the same times give the same report.
namespace fusekit::bench {

/// Copies the variant's label, model and settings to `outcome`; sets no figures.
void copy_settings(const Variant& variant, Outcome& outcome);

/// Computes outcomes and ratios from the traces of a measurement.
Report analyze(const std::vector<Variant>& variants, std::vector<ProcessTrace> traces, double confidence);

/// "b.pt is 1.52x as fast as a.pt (1.49 to 1.55)" or "no measurable difference between a.pt and b.pt (could have seen
/// 1.5 %)".
std::string verdict_text(const Report& report, const Ratio& ratio);

/// Reads times that another tool measured: one number per line, where a blank line starts the times of the next process;
/// speed_benchmark_torch's output with report_pep, any number of runs one after the other (us); hyperfine's JSON of one
/// command or google-benchmark's of one benchmark (converted to us). Error{file}.
std::vector<std::vector<double>> read_recorded_times(const std::filesystem::path& path);
/// Compares b's times with a's. With three or more processes each, the process is the unit: the interval of
/// shift_estimate on the logarithms of the processes' medians. Otherwise a moving-block bootstrap of the medians, and a
/// warning that differences between processes are not in the interval.
Report compare_recorded_times(const std::vector<std::vector<double>>& a, const std::string& label_a,
                              const std::vector<std::vector<double>>& b, const std::string& label_b,
                              double confidence = 0.95);

}  // namespace fusekit::bench
