#include <cmath>

#include "file/load.h"
#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "fusekit/verify.h"
#include "inputs/inputs.h"
#include "runtime/captured_output.h"
#include "runtime/error_text.h"
#include "verify/compare.h"
#include "verify/metrics.h"
#include "verify/state.h"
#include "verify/tolerance.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;
using inputs::Sample;

constexpr std::uint64_t kSeed = 20200722;  // any number: the same before each run of a and of b

/// One network's run: what it gave, what it made of its inputs, what it printed; or why it could not be run.
struct Run {
  c10::IValue output;
  Sample inputs;
  std::string printed;
  std::optional<std::string> problem;
};

/// The same draws for both networks, and the caller's generator as it was.
class SeedGuard {
 public:
  SeedGuard() : generator_(at::globalContext().defaultGenerator(at::kCPU)), state_(generator_.get_state()) {}
  ~SeedGuard() { generator_.set_state(state_); }
  SeedGuard(const SeedGuard&) = delete;
  SeedGuard& operator=(const SeedGuard&) = delete;

 private:
  at::Generator generator_;
  at::Tensor state_;
};

Run run_once(torch::jit::Module& module, const std::string& method, const Sample& sample,
             runtime::CapturedOutput& captured) {
  Run run;
  for (const c10::IValue& input : sample) run.inputs.push_back(input.deepcopy());
  at::manual_seed(kSeed);
  try {
    run.output = module.get_method(method)(run.inputs);
  } catch (...) {
    run.problem = runtime::explain_current_exception();
  }
  run.printed = captured.take_printed();
  return run;
}

/// Outputs first, then what was written into the inputs, then what was printed.
gate::Comparison compare_runs(const Run& a, const Run& b) {
  gate::Comparison all = gate::compare(a.output, b.output);
  for (std::size_t k = 0; k < a.inputs.size() && all.failure.empty(); ++k) {
    const gate::Comparison input = gate::compare(a.inputs[k], b.inputs[k], fmt::format("input[{}]", k));
    if (input.error.max_rel > all.error.max_rel) all.worst_at = input.worst_at;
    if (input.error.max_abs > 0) all.error = gate::worse(all.error, input.error);
    if (!input.failure.empty()) all.failure = "what is written into " + input.failure;
  }
  if (all.failure.empty() && a.printed != b.printed) all.failure = "the networks print different text";
  return all;
}

/// Takes one run's comparison into the report; false where no later run could be told apart from this failure.
bool take(VerifyReport& report, const gate::Comparison& comparison, const std::string& run) {
  if (comparison.error.max_rel > report.worst.max_rel || report.worst_at.empty()) report.worst_at = comparison.worst_at;
  report.worst = gate::worse(report.worst, comparison.error);
  if (!comparison.failure.empty()) {
    if (report.failure.empty()) report.failure = run + ": " + comparison.failure;
    return false;
  }
  if (comparison.error.max_rel > report.tolerance && report.failure.empty())
    report.failure = fmt::format("{}: {} is off by {:.2g} of its largest value, more than {:.2g}", run,
                                 comparison.worst_at, comparison.error.max_rel, report.tolerance);
  if (report.min_sqnr_db && comparison.error.sqnr_db < *report.min_sqnr_db && report.failure.empty())
    report.failure =
        fmt::format("{}: the SQNR is {:.1f} dB, less than {:.4g}", run, comparison.error.sqnr_db, *report.min_sqnr_db);
  return true;
}

Error cannot_run(const fs::path& path, const VerifyOptions& options, const VerifyReport& report, const std::string& run,
                 const std::string& problem) {
  const std::string message = fmt::format("{} can't be run on {}: {}", path.string(), report.inputs, problem);
  if (!options.inputs.given()) return {ErrorKind::model, fmt::format("{} ({})", message, run), "give --input_dims"};
  return {ErrorKind::input, message,
          options.inputs.file.empty() ? "give the --input_dims and --input_type that the network takes"
                                      : "the file has to hold what the network's " + options.method + " takes"};
}

void check(const VerifyOptions& options) {
  if (options.tolerance && (!std::isfinite(*options.tolerance) || *options.tolerance < 0))
    throw Error(ErrorKind::usage, fmt::format("a tolerance of {} is not a number from 0 on", *options.tolerance));
  if (options.min_sqnr_db && !std::isfinite(*options.min_sqnr_db))
    throw Error(ErrorKind::usage, fmt::format("an SQNR of {} dB is no bound", *options.min_sqnr_db));
  if (options.samples < 0 || options.runs < 1)
    throw Error(ErrorKind::usage,
                fmt::format("{} samples with {} runs each: nothing to verify", options.samples, options.runs));
}

/// A load of its own, because candidate runs leave their traces in a network with state.
InputSummary resolve(const fs::path& path, const VerifyOptions& options) {
  torch::jit::Module module = file::load(path).module;
  if (!module.find_method(options.method))
    throw Error(ErrorKind::input, fmt::format("{} has no method \"{}\"", path.string(), options.method));
  return inputs::resolve_inputs(module, options.inputs, options.method);
}

}  // namespace

namespace {

/// What b is held to.
void set_bounds(VerifyReport& report, const VerifyOptions& options, const fs::path& a_path, const fs::path& b_path,
                const torch::jit::Module& a) {
  report.min_sqnr_db = options.min_sqnr_db;
  if (!options.tolerance && !options.min_sqnr_db && int8_facts(b_path) && !int8_facts(a_path))
    report.min_sqnr_db = kInt8Sqnr;
  const double otherwise = report.min_sqnr_db ? std::numeric_limits<double>::infinity() : gate::default_tolerance(a);
  report.tolerance = options.tolerance.value_or(otherwise);
}

}  // namespace

VerifyReport verify(const fs::path& a_path, const fs::path& b_path, const VerifyOptions& options) {
  check(options);
  const torch::NoGradGuard no_grad;
  const SeedGuard seed_guard;
  const InputSummary summary = resolve(a_path, options);
  torch::jit::Module a = file::load(a_path).module;
  torch::jit::Module b = file::load(b_path).module;

  const std::vector<Sample> from_file =
      summary.options.file.empty() ? std::vector<Sample>{} : inputs::read_samples(summary.options);

  VerifyReport report;
  report.inputs = summary.text;
  set_bounds(report, options, a_path, b_path, a);
  report.runs = options.runs;
  report.samples = options.samples > 0 ? options.samples : std::max(3, static_cast<int>(from_file.size()));
  if (!b.find_method(options.method)) {
    report.failure = fmt::format("{} has no method \"{}\"", b_path.string(), options.method);
    return report;
  }

  runtime::CapturedOutput captured;
  const gate::State state(a);
  for (int k = 0; k < report.samples; ++k) {
    const auto index = static_cast<std::size_t>(k);
    const Sample sample =
        from_file.empty() ? inputs::draw_sample(summary.options, index) : from_file[index % from_file.size()];
    for (int r = 0; r < report.runs; ++r) {
      const std::string run = fmt::format("run {} of sample {}", r + 1, k + 1);
      const Run ours = run_once(a, options.method, sample, captured);
      if (ours.problem) throw cannot_run(a_path, options, report, run, *ours.problem);
      const Run theirs = run_once(b, options.method, sample, captured);
      if (theirs.problem) {
        if (report.failure.empty())
          report.failure = fmt::format("{}: {} fails: {}", run, b_path.string(), *theirs.problem);
        return report;
      }
      const gate::Comparison comparison = compare_runs(ours, theirs);
      report.compared += comparison.compared;
      if (!take(report, comparison, run)) return report;
      if (!take(report, state.compare_written(b), run)) return report;
    }
  }
  report.passed = report.failure.empty();
  return report;
}

}  // namespace fusekit
