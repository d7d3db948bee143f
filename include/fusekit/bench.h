#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/bench_analysis.h"
#include "fusekit/bench_formats.h"
#include "fusekit/bench_launcher.h"
#include "fusekit/bench_once.h"
#include "fusekit/bench_profile.h"
#include "fusekit/bench_regression.h"
#include "fusekit/bench_report.h"
#include "fusekit/bench_variant.h"

/// Timing of TorchScript files. One file, as speed_benchmark_torch does it: `measure_once`. Several files, or a figure
/// with a confidence interval: `measure`, which interleaves them in several fresh processes. Processes, time and networks
/// are behind the interfaces `Launcher`, `Clock` and `Runner`; a caller may implement any of them.
namespace fusekit::bench {

struct Options {
  /// Number of fresh processes; with `until_ci` the minimum. Not given: 8 to 16, depending on `max_seconds` (fewer, but
  /// at least 3, where one block in each of 8 processes takes too long); 8 with `iterations`.
  std::optional<int> processes = {};
  double max_seconds = 20;  ///< for the whole measurement; each process runs at least one block even if it takes longer
  std::optional<double> until_ci = {};  ///< continue until every ratio's interval is narrower than this, e.g. 0.01
  double confidence = 0.95;
  std::optional<int> warmup = {};      ///< runs of each variant in each process; not given: until steady
  std::optional<int> iterations = {};  ///< minimum of timed runs of each variant in each process; not given: by time
  bool profile = false;    ///< also fills Report::profiles, in extra processes that max_seconds does not cover
  std::uint64_t seed = 0;  ///< of load orders, block orders and padding
  /// Called regularly; true ends the measurement: with what was measured until then (Report::interrupted), or Interrupted
  /// where that is nothing.
  std::function<bool()> interrupted = {};
};

/// Called regularly with a fraction in [0,1] and a text that says what is being done.
using Progress = std::function<void(double, const std::string&)>;

/// Times the variants against each other (each against its Variant::against). There are several rounds. A round has one
/// fresh process for each distinct `runtime` and `environment`, with a balanced random load order; the processes take
/// turns in blocks A B B A of random order. A round's median log-ratio is the unit of the interval (Wilcoxon's
/// signed-rank; below eight rounds Student's). Error{usage}: no variants, or numbers below 1.
Report measure(const std::vector<Variant>& variants, const Options& options, Launcher& launcher, Clock& clock,
               const Progress& progress = {});

/// Describes this machine; takes 1000 readings of `clock` to find its resolution and overhead.
Environment this_environment(Clock& clock);

}  // namespace fusekit::bench
