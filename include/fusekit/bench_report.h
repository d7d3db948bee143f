#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What a measurement gives: raw traces, figures, ratios, the machine.
namespace fusekit::bench {

/// Consecutive runs of one variant: `lead_in` that are not timed (its data come back into the caches), then `runs`.
struct Slot {
  std::size_t variant = 0;
  int lead_in = 0;
  int runs = 1;
};

/// What one variant's start in a process cost.
struct LoadFigures {
  double load_us = 0;        ///< FuseKit's checked load of the file
  double first_us = 0;       ///< the first inference
  std::int64_t rss_kib = 0;  ///< growth of the process's resident memory over load and first inference
};

/// The timed runs of a slot.
struct Times {
  std::vector<double> run_us;  ///< each run's time; with several streams those of all, one stream after the other
  double wall_us = 0;          ///< from the begin of the first to the end of the last
};

/// What the kernel counted in a process since its start, or between two moments.
struct Usage {
  std::int64_t peak_rss_kib = 0;  ///< VmHWM
  std::int64_t major_faults = 0;
  std::int64_t involuntary_switches = 0;
  double cpu_seconds = 0;

  /// Between `earlier` and this; the peak stays.
  [[nodiscard]] Usage operator-(const Usage& earlier) const {
    return {peak_rss_kib, major_faults - earlier.major_faults, involuntary_switches - earlier.involuntary_switches,
            cpu_seconds - earlier.cpu_seconds};
  }
  Usage& operator+=(const Usage& other) {
    peak_rss_kib += other.peak_rss_kib;
    major_faults += other.major_faults;
    involuntary_switches += other.involuntary_switches;
    cpu_seconds += other.cpu_seconds;
    return *this;
  }
};

/// What was asked of the processes and what they answered: the raw data of a report.
struct Block {
  std::vector<Slot> slots;
  std::vector<Times> times;  ///< one a slot
};

struct ProcessTrace {
  std::vector<std::size_t> load_order;
  std::vector<LoadFigures> loads;              ///< one a variant
  std::vector<std::vector<double>> warmup_us;  ///< one list a variant
  std::vector<std::int64_t> peak_alone_kib;    ///< one a variant: Usage::peak_rss_kib before others were loaded; else 0
  std::vector<Block> blocks;
  Usage usage;     ///< from start to end, summed over the processes that ran side by side
  Usage measured;  ///< the part of it during the blocks
};

struct Interval {
  double low = 0;
  double high = 0;
};

/// Of all runs. One that the sample is too small for is left out: below 29, 299 and 2995 runs for the last three, as the
/// largest of n values lies above the p-quantile with 95 % confidence from p^n <= 0.05 on (Conover 1999, section 3.2).
struct Percentiles {
  double min = 0, p50 = 0;
  std::optional<double> p90 = {}, p99 = {}, p999 = {};
  double max = 0;
};

/// One variant's figures, microseconds a run.
struct Outcome {
  std::string label;
  std::string model;
  std::string inputs;
  int threads = 0;  ///< as asked for; 0: LibTorch's default
  std::string engine;
  std::vector<std::string> environment;  ///< Variant::environment
  std::string dtype;                     ///< "": the file's own
  int streams = 1;
  std::int64_t samples = 1;          ///< Variant::samples
  double sample_us = 0;              ///< median_us / samples; with several streams the time a sample by the wall clock
  double median_us = 0;              ///< the median of the processes' medians
  std::optional<Interval> interval;  ///< of the processes' typical median; from two processes on
  Percentiles percentiles;           ///< of all timed runs
  double mean_us = 0;
  std::size_t runs = 0;
  std::size_t far_out = 0;  ///< runs beyond the third quartile + 3 interquartile ranges (Tukey); they are not dropped
  double load_us = 0, first_us = 0;  ///< medians over the processes
  std::size_t warmup_runs =
      0;  ///< runs before the timed ones, the first inference included; the median over the processes
  std::int64_t rss_kib = 0;       ///< LoadFigures::rss_kib, the median over the processes
  std::int64_t peak_rss_kib = 0;  ///< most resident memory of a process that ran only this variant yet; 0: unknown
  std::vector<double> process_median_us;
};

enum class Verdict { faster, slower, no_difference };

/// How one variant compares with another.
struct Ratio {
  std::size_t variant = 0;
  std::size_t against = 0;
  double ratio = 1;       ///< time of `against` / time of `variant`: above 1 where `variant` is faster
  Interval interval;      ///< of `ratio`
  double detectable = 0;  ///< relative difference that such a run finds in 9 of 10 cases
  Verdict verdict = Verdict::no_difference;
  std::vector<double> process_log_ratios;  ///< the units: each process's median log-ratio
};

/// The machine and its state.
struct Environment {
  std::string cpu;
  int cpus = 0;  ///< that this process may run on
  std::string kernel;
  std::string libtorch;
  std::string fusekit;
  std::string governor;  ///< of CPU 0's frequency; empty where the kernel does not say
  double load_average = 0;
  double cpu_quota = 0;  ///< cgroup limit in CPUs; 0: none
  double timer_resolution_ns = 0;
  double timer_overhead_ns = 0;
};

/// What else went on while it was measured.
struct Noise {
  double other_cpus = 0;                  ///< CPUs that other programs kept busy, on average
  double steal = 0;                       ///< share of time that the hypervisor took
  std::int64_t major_faults = 0;          ///< of the workers, during the blocks: loading a file reads pages, too
  std::int64_t involuntary_switches = 0;  ///< the same
  double throttled_seconds = 0;           ///< by the cgroup's quota
  double clock_change = 0;                ///< of the CPUs' clock rate from begin to end: 0.1 is 10 % faster
  double cpu_seconds = 0;                 ///< that the workers used from their start to their end
  double measured_cpu_seconds = 0;        ///< the part of it during the blocks
};

/// One operator at one place.
struct LayerTime {
  std::string scope;  ///< path of the module whose weights it reads, "layer1.0.conv1"; "" before the first of these; an
                      ///< operator without weights counts to the one before it
  std::string op;     ///< "aten::conv2d"
  double us = 0;      ///< a forward, inclusive of what it calls
  double calls = 0;   ///< a forward
};

/// Where a variant's time goes.
struct Profile {
  std::string label;
  double forward_us = 0;          ///< a forward while it is observed, which takes longer than it does otherwise
  std::vector<LayerTime> layers;  ///< in the order of execution; what is missing to forward_us is the interpreter's
};

struct Report {
  std::vector<Outcome> outcomes;
  std::vector<Ratio> ratios;  ///< each variant after the first against the first
  std::vector<ProcessTrace> traces;
  std::vector<Profile> profiles;
  double confidence = 0.95;
  double seconds = 0;  ///< that the measurement took
  bool reached_ci = false;
  Environment environment;
  Noise noise;
  std::vector<std::string> warnings;  ///< what may be wrong with the figures, and what to do
};

}  // namespace fusekit::bench
