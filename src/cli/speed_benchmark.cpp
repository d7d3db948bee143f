#include "cli/speed_benchmark.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/bench_output.h"
#include "cli/interrupt.h"
#include "fusekit/interrupted.h"

namespace fusekit::cli {
namespace {

using nlohmann::json;

/// A runner that throws between two runs when the user has interrupted.
class InterruptibleRunner : public bench::Runner {
 public:
  explicit InterruptibleRunner(std::unique_ptr<bench::Runner> inner) : inner_(std::move(inner)) {}
  void run() override {
    if (InterruptWatch::raised()) throw Interrupted();
    inner_->run();
  }
  std::string run_and_print() override { return inner_->run_and_print(); }

 private:
  std::unique_ptr<bench::Runner> inner_;
};

constexpr double kBusyLoad = 1;  // load average of the last minute

struct Result {
  bench::OnceOptions options;
  bench::OnceReport report;
  double load_us = 0;
  bench::Environment environment;
};

void print_lines(const Result& result, bool report_pep, const Console& console) {
  if (report_pep)
    for (const double us : result.report.run_us)  // whole microseconds, as its clock gives them
      console.print_data(
          fmt::format(R"(PyTorchObserver {{"type": "NET", "unit": "us", "metric": "latency", "value": "{:.6g}"}})",
                      std::floor(us)));
  console.print(last_line(result.report.mean_us));
}

void print_json(const bench::Variant& variant, const Result& result, const Console& console) {
  const bench::OnceReport& report = result.report;
  const bench::Percentiles& p = report.percentiles;
  const auto known = [](const std::optional<double>& value) { return value ? json(*value) : json(); };
  const json document = {{"schema", "fusekit.bench.once/1"},
                         {"model", variant.model.string()},
                         {"inputs", variant.inputs},
                         {"threads", variant.runtime.threads},
                         {"engine", variant.runtime.engine},
                         {"warmup", result.options.warmup},
                         {"iter", result.options.iterations},
                         {"mean_us", report.mean_us},
                         {"percentiles_us",
                          {{"min", p.min},
                           {"p50", p.p50},
                           {"p90", known(p.p90)},
                           {"p99", known(p.p99)},
                           {"p99.9", known(p.p999)},
                           {"max", p.max}}},
                         {"iters_per_second", 1e6 / report.mean_us},
                         {"run_us", report.run_us},
                         {"interrupted", report.interrupted},
                         {"unsteady_runs", report.unsteady},
                         {"checked_load_us", result.load_us},
                         {"first_inference_us", report.first_us},
                         {"peak_resident_kib", report.peak_rss_kib},
                         {"timer_resolution_ns", result.environment.timer_resolution_ns},
                         {"timer_overhead_ns", result.environment.timer_overhead_ns}};
  console.print_json(document);
}

/// Load, first run and memory; whether the runs were steady; the clock.
void note_figures(const Result& result, int threads, bool ran_before, const Console& console) {
  const bench::OnceReport& report = result.report;
  console.note(fmt::format("load {:.4g} ms, first run {:.4g} ms{}, peak memory {:.1f} MiB", 1e-3 * result.load_us,
                           1e-3 * report.first_us,
                           ran_before ? " (not quite the first: its inputs were found by runs)" : "",
                           static_cast<double>(report.peak_rss_kib) / 1024));
  const char* why =
      "LibTorch's profiling executor watches the first run and compiles in the second, and memory is touched for the "
      "first time";
  if (report.unsteady == report.run_us.size()) {
    console.note("note: the times did not get steady within these runs; give more --warmup and --iter");
  } else if (report.unsteady > 0) {
    console.note(fmt::format(
        "note: the first {} of these {} runs were still warming up ({}); --warmup {} leaves them out", report.unsteady,
        report.run_us.size(), why, result.options.warmup + static_cast<int>(report.unsteady)));
  }
  const bench::Environment& machine = result.environment;
  if (threads != 1 && machine.cpus > 1 && machine.load_average > kBusyLoad)
    console.warn(fmt::format(
        "other programs are at work (load {:.1f}): LibTorch's threads wait by spinning, so that several can be "
        "20 times slower than one; give --threads 1, or set OMP_WAIT_POLICY=passive",
        machine.load_average));
  console.detail(fmt::format("clock: {:.0f} ns resolution, {:.0f} ns a reading", result.environment.timer_resolution_ns,
                             result.environment.timer_overhead_ns));
}

}  // namespace

bool run_speed_benchmark(const BenchFlags& flags, const bench::Variant& variant, const Console& console) {
  Result result;
  result.options = {flags.warmup.value_or(0), flags.iterations.value_or(10)};
  InterruptibleRunner runner(bench::load_runner(variant, bench::real_clock(), result.load_us));
  const bool lines = !flags.common.json;
  if (flags.print_output) {
    const std::string output = runner.run_and_print();
    lines ? console.print_data(output) : console.note(output);
  }
  if (lines) console.print("Starting benchmark.\nRunning warmup runs.");
  result.report = bench::measure_once(runner, bench::real_clock(), result.options, [&] {
    if (lines) console.print("Main runs.");
  });
  result.environment = bench::this_environment(bench::real_clock());
  lines ? print_lines(result, flags.report_pep, console) : print_json(variant, result, console);
  note_figures(result, variant.runtime.threads, flags.print_output || variant.inputs.ends_with("inferred"), console);
  if (result.report.interrupted)
    console.warn(
        fmt::format("interrupted after {} of {} runs", result.report.run_us.size(), result.options.iterations));
  return !result.report.interrupted;
}

}  // namespace fusekit::cli
