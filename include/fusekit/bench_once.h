#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fusekit/bench_report.h"
#include "fusekit/bench_variant.h"

/// One file in this process, timed as speed_benchmark_torch does it.
namespace fusekit::bench {

/// A monotonic clock.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now() = 0;  ///< nanoseconds since some fixed point
};

/// std::chrono::steady_clock.
Clock& real_clock();

/// Something that is loaded and can be run again and again.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual void run() = 0;
  /// Runs once more and returns the output as text, as LibTorch's operator<< prints it.
  virtual std::string run_and_print() = 0;
};

/// Loads the variant's file in this process: in eval(), ready to run without gradients. Applies `runtime`.
/// Error{file}: not a TorchScript file. Error{input}: the file has no bundled inputs, but they are asked for.
/// `run` throws Error{model} with LibTorch's reason.
std::unique_ptr<Runner> load_runner(const Variant& variant);
/// The same, and measures the time of the load. Resets the process's peak memory before it, where the kernel allows this.
std::unique_ptr<Runner> load_runner(const Variant& variant, Clock& clock, double& load_us);

struct OnceOptions {
  int warmup = 0;       ///< untimed runs
  int iterations = 10;  ///< timed runs; < 1 is Error{usage}
};

struct OnceReport {
  double mean_us = 0;             ///< total time of the loop / number of runs, as in speed_benchmark_torch
  std::vector<double> run_us;     ///< each timed run
  bool interrupted = false;       ///< a run threw Interrupted: of the runs before it
  double first_us = 0;            ///< the runner's first run, either warm-up or timed
  std::int64_t peak_rss_kib = 0;  ///< of the process, LibTorch included, until the end of the runs; 0: unknown
  Percentiles percentiles;        ///< of run_us
  std::size_t unsteady = 0;       ///< number of timed runs at the start that still belong to the warm-up; may be all
};

/// A runner may throw Interrupted: what was timed until then is the report. `at_main_runs` is called between the warm-up and the timed runs.
OnceReport measure_once(Runner& runner, Clock& clock, const OnceOptions& options,
                        const std::function<void()>& at_main_runs = {});

}  // namespace fusekit::bench
