#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/bench_profile.h"

/// The result of a measurement: raw traces, figures, ratios, the machine.
namespace fusekit::bench {

/// Consecutive runs of one variant: first `lead_in` untimed runs, which fill the caches, then `runs` timed ones.
struct Slot {
  std::size_t variant = 0;
  int lead_in = 0;
  int runs = 1;
};

/// The start of one variant in a process.
struct LoadFigures {
  double load_us = 0;        ///< FuseKit's load, which also checks the file
  double first_us = 0;       ///< the first inference
  std::int64_t rss_kib = 0;  ///< growth of the process's resident memory over load and first inference
};

/// The timed runs of a slot.
struct Times {
  std::vector<double>
      run_us;          ///< of each run; with several streams all runs of the first stream, then of the second, ...
  double wall_us = 0;  ///< from the begin of the first run to the end of the last
};

/// The kernel's counters of a process, since its start or between two readings.
struct Usage {
  std::int64_t peak_rss_kib = 0;  ///< VmHWM
  std::int64_t major_faults = 0;
  std::int64_t involuntary_switches = 0;
  double cpu_seconds = 0;
  double waited_seconds = 0;  ///< of all threads, ready to run while their CPU did something else

  /// The difference to an earlier reading; the peak stays as it is.
  [[nodiscard]] Usage operator-(const Usage& earlier) const {
    return {peak_rss_kib, major_faults - earlier.major_faults, involuntary_switches - earlier.involuntary_switches,
            cpu_seconds - earlier.cpu_seconds, waited_seconds - earlier.waited_seconds};
  }
  Usage& operator+=(const Usage& other) {
    peak_rss_kib += other.peak_rss_kib;
    major_faults += other.major_faults;
    involuntary_switches += other.involuntary_switches;
    cpu_seconds += other.cpu_seconds;
    waited_seconds += other.waited_seconds;
    return *this;
  }
};

/// The slots of a block and their times: the raw data of a report.
struct Block {
  std::vector<Slot> slots;
  std::vector<Times> times;  ///< one per slot
};

/// All that was measured in one round: in one process, or in several side by side (one for each setting).
struct ProcessTrace {
  std::vector<std::size_t> load_order;
  std::vector<LoadFigures> loads;              ///< one per variant
  std::vector<std::vector<double>> warmup_us;  ///< one list per variant
  std::vector<std::int64_t> peak_alone_kib;  ///< one per variant: Usage::peak_rss_kib before another was loaded; else 0
  std::vector<Block> blocks;
  Usage usage;     ///< from start to end, summed over the processes of the round
  Usage measured;  ///< the part of it during the blocks
};

struct Interval {
  double low = 0;
  double high = 0;
};

/// Of all runs. A percentile is left out where there are too few runs for it: p90 below 29 runs, p99 below 299, p99.9
/// below 2995. From that number on, p^n <= 0.05: the largest of n values lies above the p-quantile with 95 % confidence
/// (Conover 1999, section 3.2).
struct Percentiles {
  double min = 0, p50 = 0;
  std::optional<double> p90 = {}, p99 = {}, p999 = {};
  double max = 0;
};

/// One variant's figures, in microseconds per run.
struct Outcome {
  std::string label;
  std::string model;
  std::string inputs;
  std::vector<std::string> in_training;  ///< as Model::modules_in_training
  int threads = 0;                       ///< as requested; 0: LibTorch's default
  std::string engine;
  std::vector<std::string> environment;  ///< Variant::environment
  bool graph_fuser = false;              ///< Variant::graph_fuser
  std::string dtype;                     ///< "": not converted
  int streams = 1;
  std::int64_t samples = 1;          ///< Variant::samples
  double sample_us = 0;              ///< time per sample: median_us / samples; with several streams by the wall clock
  double median_us = 0;              ///< the median of the processes' medians
  std::optional<Interval> interval;  ///< of the median of a typical process; needs two processes
  Percentiles percentiles;           ///< of all timed runs
  double mean_us = 0;
  std::size_t runs = 0;
  std::size_t far_out = 0;  ///< runs above the third quartile + 3 interquartile ranges (Tukey); they are not removed
  double load_us = 0, first_us = 0;  ///< medians over the processes
  /// Runs before the timed ones, including the first inference; the median over the processes.
  std::size_t warmup_runs = 0;
  std::int64_t rss_kib = 0;       ///< LoadFigures::rss_kib, the median over the processes
  std::int64_t peak_rss_kib = 0;  ///< peak of a process that had run only this variant; 0: unknown
  std::vector<double> process_median_us;
};

enum class Verdict { faster, slower, no_difference };

/// How one variant compares with another.
struct Ratio {
  std::size_t variant = 0;
  std::size_t against = 0;
  double ratio = 1;       ///< time of `against` / time of `variant`: above 1 where `variant` is faster
  Interval interval;      ///< of `ratio`
  double detectable = 0;  ///< minimum detectable difference (relative), found with a power of 90 %
  Verdict verdict = Verdict::no_difference;
  std::vector<double> process_log_ratios;  ///< each process's median log-ratio: the sample behind `interval`
};

/// The machine and its state.
struct Environment {
  std::string cpu;
  int cpus = 0;  ///< number of CPUs that this process may use
  std::string kernel;
  std::string libtorch;
  std::string fusekit;
  std::string governor;  ///< frequency governor of CPU 0; empty where the kernel does not show it
  double load_average = 0;
  double cpu_quota = 0;  ///< cgroup limit in CPUs; 0: none
  double timer_resolution_ns = 0;
  double timer_overhead_ns = 0;
};

/// Disturbances during the measurement.
struct Noise {
  double other_cpus = 0;                  ///< average number of the CPUs that may be used that other programs used
  double steal = 0;                       ///< share of the time that the hypervisor took
  std::int64_t major_faults = 0;          ///< of the workers, during the blocks only (loading a file also reads pages)
  std::int64_t involuntary_switches = 0;  ///< of the workers, during the blocks only
  double throttled_seconds = 0;           ///< time for which the cgroup's CPU quota stopped the process
  double clock_change = 0;          ///< relative change of the CPUs' clock rate from begin to end: 0.1 is 10 % faster
  double cpu_seconds = 0;           ///< of the workers, from start to end
  double measured_cpu_seconds = 0;  ///< the part of it during the blocks
  double waited_seconds = 0;        ///< Usage::waited_seconds of the workers, during the blocks only
};

struct Report {
  std::vector<Outcome> outcomes;
  std::vector<Ratio> ratios;  ///< each variant against its Variant::against
  std::vector<ProcessTrace> traces;
  std::vector<Profile> profiles;
  double confidence = 0.95;
  double seconds = 0;  ///< duration of the measurement
  bool reached_ci = false;
  bool interrupted = false;  ///< by Options::interrupted: of the rounds until then
  Environment environment;
  Noise noise;
  std::vector<std::string> warnings;  ///< possible problems with the figures, and what to do about them
};

}  // namespace fusekit::bench
