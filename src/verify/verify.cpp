#include "fusekit/verify.h"

#include <cmath>

#include "file/original.h"
#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "inputs/inputs.h"
#include "ir/foreign_device.h"
#include "ir/model_parts.h"
#include "runtime/seed_guard.h"
#include "verify/own_rounding.h"
#include "verify/second_file.h"
#include "verify/side_by_side.h"
#include "verify/tolerance.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;
using inputs::Sample;

Error cannot_run(const torch::jit::Module& module, const fs::path& path, const VerifyOptions& options,
                 const std::string& inputs, const std::string& run, const std::string& problem) {
  if (const std::string device = ir::foreign_device_in(module, options.method, problem); !device.empty())
    return {ErrorKind::model, fmt::format("{} can't be run: {}", path.string(), device), ir::kForeignDeviceHint};
  const std::string message = fmt::format("{} can't be run on {}: {}", path.string(), inputs, problem);
  if (!options.inputs.given())
    return {ErrorKind::model, fmt::format("{} ({})", message, run), "give InputOptions::dims"};
  return {ErrorKind::input, message,
          options.inputs.file.empty() ? "give the InputOptions::dims and InputOptions::types that the network takes"
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

/// Candidates that run leave the original as it is.
InputSummary resolve(const file::Original& original, const VerifyOptions& options) {
  if (!original.module().find_method(options.method))
    throw Error(ErrorKind::input, fmt::format("{} has no method \"{}\"", original.path().string(), options.method));
  const runtime::SeedGuard seed_guard;
  return inputs::resolve_inputs(original, options.inputs, options.method);
}

/// What b is held to.
void set_bounds(VerifyReport& report, const VerifyOptions& options, const fs::path& a_path, const fs::path& b_path,
                const torch::jit::Module& a, const torch::jit::Module& b) {
  report.min_sqnr_db = options.min_sqnr_db;
  if (!options.tolerance && !options.min_sqnr_db && int8_facts(b_path) && !int8_facts(a_path))
    report.min_sqnr_db = kInt8Sqnr;
  if (report.min_sqnr_db) report.most_alone = 0.5;
  const double otherwise = report.min_sqnr_db ? std::numeric_limits<double>::infinity()
                                              : std::max(gate::default_tolerance(a), gate::default_tolerance(b));
  report.tolerance = options.tolerance.value_or(otherwise);
}

/// What is beyond the tolerance may be no more than the original's own rounding.
void judge_by_rounding(VerifyReport& report, const gate::RoundingSides& sides, const gate::Course& course) {
  const auto verdict = gate::judge_rounding(sides, course, report);
  if (!verdict) return;
  report.rounding = verdict->worst;
  report.passed = verdict->passed;
  if (report.passed) report.failure.clear();
}

/// Runs `a`, which was read from `a_path` (and put into eval() then, where `is_in_eval`), beside b.
VerifyReport run_beside(torch::jit::Module a, const fs::path& a_path, bool is_in_eval, const gate::SecondFile& b_file,
                        const gate::TestData& data, const VerifyOptions& options) {
  torch::jit::Module b = b_file.module();
  if (options.eval) {
    a.eval();
    b.eval();
  }
  VerifyReport report;
  report.inputs = data.text;
  set_bounds(report, options, a_path, b_file.path, a, b);
  report.runs = options.runs;
  report.samples = options.samples > 0 ? options.samples : std::max(3, static_cast<int>(data.given));
  gate::Course course;
  course.method = options.method;
  course.a_name = a_path.string();
  course.b_name = b_file.name;
  course.progress = options.progress;
  course.sample = [&](std::size_t k) { return std::pair(fmt::format("sample {}", k + 1), data.sample(k)); };
  course.cannot_run = [&](const std::string& run, const std::string& problem) {
    return cannot_run(a, a_path, options, data.text, run, problem);
  };
  const gate::Runnable second = b_file.mobile ? gate::in_mobile_interpreter(b_file.path) : gate::in_full_interpreter(b);
  gate::run_side_by_side(gate::in_full_interpreter(a), second, course, report);
  if (!report.passed && !report.differs_in_kind && !options.tolerance && !report.min_sqnr_db)
    judge_by_rounding(report, {a_path, is_in_eval || options.eval, b_file.path, options.eval, b_file.mobile}, course);
  return report;
}

}  // namespace

namespace gate {

torch::jit::Module SecondFile::module() const {
  if (loaded) return *loaded;
  try {
    return file::load(path).module;
  } catch (const Error& error) {
    const std::string own_name = path.string();
    if (name == own_name || !error.message().starts_with(own_name)) throw;
    throw Error(error.kind(), "what was written as " + name + error.message().substr(own_name.size()), error.hint());
  }
}

TestData test_data(const file::Original& a, const VerifyOptions& options) {
  const InputSummary summary = resolve(a, options);
  return {summary.text, summary.samples, inputs::sampler(summary.options)};
}

VerifyReport verify_file(const file::Original& a, const SecondFile& b, const VerifyOptions& options,
                         const TestData& data) {
  check(options);
  return run_beside(a.fresh(), a.path(), a.is_in_eval(), b, data, options);
}

}  // namespace gate

VerifyReport verify(const fs::path& a, const fs::path& b, const VerifyOptions& options) {
  check(options);
  file::Original original(a);
  const gate::TestData data = gate::test_data(original, options);
  return run_beside(std::move(original).last(), a, /*is_in_eval=*/false, {b, b.string()}, data, options);
}

VerifyReport verify(const Model& a, const fs::path& b, const VerifyOptions& options) {
  const file::Original& original = *ModelParts::of(a).original;
  check(options);
  return gate::verify_file(original, {b, b.string()}, options, gate::test_data(original, options));
}

}  // namespace fusekit
