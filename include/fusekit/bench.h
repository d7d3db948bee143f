#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/bench_report.h"
#include "fusekit/inputs.h"
#include "fusekit/runtime.h"

/// Timing of TorchScript files. One file: `measure_once`, as speed_benchmark_torch does it. Several files, or a figure
/// that has to be believed: `measure`, which interleaves them in several fresh processes. What happens in a process is
/// behind `Launcher`, time behind `Clock`, a network behind `Runner`: a caller may bring any of them.
namespace fusekit::bench {

/// What forward is called with.
struct Arguments {
  InputOptions inputs;  ///< explicit, as fusekit::resolve_inputs makes them; ignored with `none` or `bundled`
  bool none = false;    ///< no arguments at all
  int bundled = -1;     ///< >= 0: the index in what the file's get_all_bundled_inputs returns
  int pytext_len = 0;   ///< > 0: one more argument, an int64 tensor of shape [1] that holds this value
};

/// One thing that is timed: a file in a setting.
struct Variant {
  std::string label;  ///< how reports call it
  /// Not empty: another program, run in a shell, that prints the time of each of its runs; what follows is ignored but
  /// `samples` and `against`. Such variants come after all others.
  std::string command = {};
  std::filesystem::path model;
  Arguments arguments;
  RuntimeOptions runtime;
  /// "NAME=VALUE": what its process has in its environment beside this process's; "NAME=" empties it.
  std::vector<std::string> environment = {};
  std::string dtype =
      {};           ///< "float", "double", "half", "bfloat16": module and float inputs are converted; "": as they are
  int streams = 1;  ///< > 1: so many copies of the module run side by side, each in a thread of its own
  std::int64_t samples = 1;  ///< that one run handles (the batch); ratios are those of the time a sample
  std::size_t against = 0;   ///< index of the variant that it is compared with; its own: with none
  std::string inputs = {};   ///< what it is run on, in words; `prepare` fills it in
};

/// A variant for each file, compared with the first one's, and labelled with the files' names, as far as they differ.
std::vector<Variant> variants_of(const std::vector<std::filesystem::path>& models);

/// The files' names; their whole paths where names are alike; a number where even those are.
std::vector<std::string> labels_of(const std::vector<std::filesystem::path>& models);

/// What is worth telling before a measurement.
struct Remark {
  enum class Kind { warning, engine, inputs };
  Kind kind = Kind::warning;
  std::string text;
};

/// Settles what the variants leave open: the engine (fusekit::choose_engine; those that run in one process share it), and
/// inputs that are not given (fusekit::resolve_inputs, once for each model and shape). Libraries that the files need have to
/// be loaded. Error as resolve_inputs; Error{usage} where `interrupted` says so.
std::vector<Remark> prepare(std::vector<Variant>& variants, const std::function<bool()>& interrupted = {});

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
  /// Runs once more and gives what came out, as LibTorch's operator<< prints it.
  virtual std::string run_and_print() = 0;
};

/// Loads the variant's file in this process, in eval(), ready to run without gradients. Applies `runtime`.
/// Error{file}: no TorchScript file; Error{input}: bundled inputs are asked for and not there.
/// `run` throws Error{model} with what LibTorch said.
std::unique_ptr<Runner> load_runner(const Variant& variant);
/// The same with the time that it took; the process's peak memory begins anew before it, where the kernel allows.
std::unique_ptr<Runner> load_runner(const Variant& variant, Clock& clock, double& load_us);

// ---- one file, one process: what speed_benchmark_torch does ----

struct OnceOptions {
  int warmup = 0;       ///< runs that are not timed
  int iterations = 10;  ///< runs that are timed; < 1 is Error{usage}
};

struct OnceReport {
  double mean_us = 0;             ///< the whole loop's time over the number of runs, as speed_benchmark_torch has it
  std::vector<double> run_us;     ///< each timed run
  double first_us = 0;            ///< the runner's first run, be it warm-up or timed
  std::int64_t peak_rss_kib = 0;  ///< of the process, LibTorch included, up to the end of the runs; 0: unknown
  Percentiles percentiles;        ///< of these
  std::size_t unsteady = 0;  ///< so many of the first timed runs were still part of the warm-up; at most all of them
};

/// `at_main_runs` is called between warm-up and timed runs.
OnceReport measure_once(Runner& runner, Clock& clock, const OnceOptions& options,
                        const std::function<void()>& at_main_runs = {});

// ---- several fresh processes ----

/// A fresh process in which variants are loaded and run. Errors of the variants come through as they are; a process
/// that dies is Error{model}, an interrupt (Options::interrupted) Error{usage}.
class Process {
 public:
  virtual ~Process() = default;
  /// `padding`: bytes that are taken up before the load, so that the variant's memory lies elsewhere each time.
  virtual LoadFigures load(std::size_t index, const Variant& variant, std::size_t padding) = 0;
  virtual Times run(const Slot& slot) = 0;
  /// Loads the variant and takes its time apart, in about `seconds` after its warm-up.
  virtual Profile profile(const Variant& variant, double seconds) = 0;
  virtual Usage usage() = 0;
  /// Takes it off the CPUs until something is asked of it again: OpenMP's threads spin on for milliseconds after their
  /// work (with OMP_WAIT_POLICY=active for ever), on the CPUs that the next process is timed on.
  virtual void rest() {}
};

class Launcher {
 public:
  virtual ~Launcher() = default;
  /// A process for variants with this runtime and this environment (Variant::environment).
  virtual std::unique_ptr<Process> start(const RuntimeOptions& runtime,
                                         const std::vector<std::string>& environment) = 0;
  /// Variant::command's runs in microseconds, from its start to its end; at most `max_seconds`.
  virtual std::vector<double> times_of(const std::string& command, double max_seconds) = 0;
};

/// Starts `command` for each process and talks with its serve_worker. `interrupted` is asked while waiting.
std::unique_ptr<Launcher> process_launcher(std::vector<std::string> command = {"/proc/self/exe", "bench-worker"},
                                           std::function<bool()> interrupted = {});

/// The other end of process_launcher: answers requests (a JSON object a line) from file descriptor `in` on `out` until
/// `in` ends. A program that links FuseKit can offer this itself.
void serve_worker(int in, int out);
/// The same on standard input and output; what networks print goes to standard error. What a program that uses
/// process_launcher has to do where it is started with the one argument "bench-worker".
void serve_worker();

struct Options {
  /// Fresh processes; with `until_ci` the least number of them. Not given: 8 to 16, as many as the time makes worthwhile
  /// (fewer, but at least 3, where even one block in each takes too long); 8 with `iterations`.
  std::optional<int> processes = {};
  double max_seconds = 20;              ///< for the whole; what is needed for one block a process is done all the same
  std::optional<double> until_ci = {};  ///< go on until every ratio's interval is narrower than this, e.g. 0.01
  double confidence = 0.95;
  std::optional<int> warmup = {};      ///< runs of each variant in each process; not given: until steady
  std::optional<int> iterations = {};  ///< timed runs (at least) of each variant in each process; not given: by time
  bool profile = false;                ///< fills in Report::profiles, in processes of their own and after max_seconds
  std::uint64_t seed = 0;              ///< of load orders, block orders and placement
  std::function<bool()> interrupted = {};  ///< asked now and then; true ends it with Error{usage}
};

/// Called now and then with a fraction in [0,1] and what is going on.
using Progress = std::function<void(double, const std::string&)>;

/// Times the variants against each other (each against its Variant::against): blocks A B B A in random order inside each of several fresh processes (one for
/// each distinct `runtime` and `environment`, side by side and interleaved) with balanced random load order; the
/// process's median log-ratio is the unit of the interval (Wilcoxon's signed-rank, below eight Student's). Error{usage}:
/// no variants, or numbers below 1.
Report measure(const std::vector<Variant>& variants, const Options& options, Launcher& launcher, Clock& clock,
               const Progress& progress = {});

/// Fills in what the variant says of itself: label, model, inputs and settings, but no figures.
void describe(const Variant& variant, Outcome& outcome);

/// Outcomes and ratios worked out of traces alone (a pure function).
Report judge(const std::vector<Variant>& variants, std::vector<ProcessTrace> traces, double confidence);

/// "b.pt is 1.52x as fast as a.pt (1.49 to 1.55)" or "no measurable difference between a.pt and b.pt (could have seen
/// 1.5 %)".
std::string verdict_text(const Report& report, const Ratio& ratio);

Environment this_environment(Clock& clock);

// ---- reports as text ----

/// All facts, as src/bench/README.md describes them; `schema` names the version ("fusekit.bench/2"). `processes`, which
/// hold every slot's median, are left out
/// where `traces` is false; each run's time is there as well where they are at most 20,000.
std::string to_json(const Report& report, bool traces = true);
/// What to_json wrote, without the traces. Error{file}: `text` (from `origin`) is something else.
Report from_json(const std::string& text, const std::string& origin);
/// One page without network access: `json` (to_json's, perhaps with more) and what draws it.
std::string html_page(const std::string& json);
std::string to_csv(const Report& report);       ///< one line a variant, RFC 4180
std::string to_markdown(const Report& report);  ///< a table and verdicts for a pull request's comment
std::string to_table(const Report& report);     ///< for a terminal
/// For a terminal: load, first inference, peak memory and the shape of the times; "" where they were not measured.
std::string to_start_table(const Report& report);
/// How the samples a second grow with the batch, a sentence for each model and setting that was run on several.
std::vector<std::string> scaling_texts(const Report& report);
/// For a terminal: the layers that take most of the time, of each profile; "" where there is none.
std::string to_profile_table(const Report& report);

// ---- the gate ----

struct Gate {
  bool regressed = false;  ///< slower by more than allowed, beyond doubt
  double slowdown = 0;     ///< relative change of the time: 0.05 is 5 % slower
  Interval interval;       ///< of `slowdown`
  double confidence = 0;   ///< of `interval`: higher where several gates share one error rate
  double detectable = 0;
  std::string text;  ///< one line for people
};

/// The settings and the machine that a report of these variants will have, without figures: for check_baseline.
Report unmeasured(const std::vector<Variant>& variants);

/// Writes the report as JSON without its traces, to be a baseline later, or as a page with charts (`json`: to_json's,
/// perhaps with more). What is at `path` is replaced at once. Error{file}.
void save(const Report& report, const std::filesystem::path& path);
void save_page(const std::string& json, const std::filesystem::path& path);
/// Error{file} now, where the two above would fail later because of the path. Writes nothing.
void check_save(const std::filesystem::path& path);
/// What `save` wrote. Error{file}.
Report load(const std::filesystem::path& path);

/// Error{usage} where `baseline` has other models than `now`, or, unless `allow_mismatch`, was measured on another machine,
/// with another LibTorch or in other settings. Needs of `now` only the outcomes' labels and settings and the environment,
/// so that it can be asked before the measurement.
void check_baseline(const Report& now, const Report& baseline, bool allow_mismatch);

/// A report against an earlier one of the same single variant or of variants with the same labels, in order.
/// Regressed where the interval's lower end lies above `max_regression`. Throws what check_baseline throws.
/// Several gates share the error rate 1 - confidence (Holm 1979): where nothing regressed, all of them together cry wolf
/// no more often than one would. Each is judged at a confidence of 1 - rate / (those not yet found regressed).
std::vector<Gate> compare_with_baseline(const Report& now, const Report& baseline, double max_regression,
                                        bool allow_mismatch);

/// The stronger form: each of `ratios` comes from one interleaved run of the old file (`against`) and the new one. They
/// share the error rate in the same way.
std::vector<Gate> gates_of(const Report& report, const std::vector<Ratio>& ratios, double max_regression);

/// Times measured elsewhere: one number a line; a blank line begins the times of another process. Error{file}.
std::vector<std::vector<double>> read_samples(const std::filesystem::path& path);
/// Judges b's times against a's. With three or more processes each, the process is the unit (on the logs of their medians
/// the rank-sum interval, or with fewer than eight Welch's); otherwise a moving-block bootstrap of the medians, with a
/// warning of what it can't see.
Report judge_samples(const std::vector<std::vector<double>>& a, const std::string& label_a,
                     const std::vector<std::vector<double>>& b, const std::string& label_b, double confidence = 0.95);

}  // namespace fusekit::bench
