#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fusekit/bench_report.h"
#include "fusekit/bench_variant.h"

/// Fresh worker processes in which variants are loaded and run.
namespace fusekit::bench {

/// A worker process. Errors of a variant are thrown unchanged. A process that dies is Error{model}, an interrupt
/// (Options::interrupted) is Interrupted.
class Process {
 public:
  virtual ~Process() = default;
  /// `padding`: bytes to allocate before the load, so that the variant's memory addresses differ from process to process.
  virtual LoadFigures load(std::size_t index, const Variant& variant, std::size_t padding) = 0;
  virtual Times run(const Slot& slot) = 0;
  /// Loads the variant and measures its time by layer, for about `seconds` after its warm-up.
  virtual Profile profile(const Variant& variant, double seconds) = 0;
  virtual Usage usage() = 0;
  /// Stops the process until its next request. Otherwise OpenMP's threads would go on spinning for milliseconds after
  /// their work (with OMP_WAIT_POLICY=active without end), on the CPUs on which the next process is timed.
  virtual void suspend() {}
};

class Launcher {
 public:
  virtual ~Launcher() = default;
  /// Starts a process for variants with this runtime and this environment (Variant::environment).
  virtual std::unique_ptr<Process> start(const RuntimeOptions& runtime,
                                         const std::vector<std::string>& environment) = 0;
  /// Runs the external program `command` (Variant::command) once, for at most `max_seconds`. Returns the times of its
  /// runs in microseconds.
  virtual std::vector<double> times_of(const std::string& command, double max_seconds) = 0;
};

/// Starts `command` for each process and sends requests to its serve_worker. `interrupted` is called while it waits.
std::unique_ptr<Launcher> process_launcher(std::vector<std::string> command = {"/proc/self/exe", "bench-worker"},
                                           std::function<bool()> interrupted = {});

/// The worker's side of process_launcher: reads requests (one JSON object per line) from the file descriptor `in` and
/// writes the answers to `out`, until `in` ends. A program that links FuseKit can offer this as a subcommand of its own.
void serve_worker(int in, int out);

/// The same on standard input and output; what networks print goes to standard error. A program that uses
/// process_launcher calls it where it is started with the one argument "bench-worker".
void serve_worker();

}  // namespace fusekit::bench
