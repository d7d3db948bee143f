#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "file/load.h"
#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "fusekit/quantize.h"
#include "quantize/observe/samples.h"
#include "runtime/captured_output.h"
#include "runtime/error_text.h"

namespace fusekit {
namespace quantize {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSeconds = 0.5;  // for all timed runs together
constexpr int kMostTurns = 200;

class EngineGuard {
 public:
  EngineGuard() = default;
  ~EngineGuard() { at::globalContext().setQEngine(before_); }
  EngineGuard(const EngineGuard&) = delete;
  EngineGuard& operator=(const EngineGuard&) = delete;

 private:
  at::QEngine before_ = at::globalContext().qEngine();
};

/// A file under an engine. Both loading and running go by the engine that is in use.
class Timed {
 public:
  Timed(const std::filesystem::path& file, std::string engine) : engine_(std::move(engine)) {
    apply({.threads = 0, .engine = engine_});
    module_ = file::load(file).module;
  }

  void run(const std::vector<c10::IValue>& inputs) {
    const torch::NoGradGuard no_grad;
    apply({.threads = 0, .engine = engine_});
    std::vector<c10::IValue> own;
    for (const c10::IValue& input : inputs) own.push_back(input.deepcopy());
    const auto start = Clock::now();
    try {
      (void)module_.forward(std::move(own));
    } catch (...) {
      throw Error(ErrorKind::input, runtime::explain_current_exception());
    }
    least_ = std::min(least_, std::chrono::duration<double>(Clock::now() - start).count());
  }

  [[nodiscard]] c10::FunctionSchema schema() const { return module_.get_method("forward").function().getSchema(); }
  void forget() { least_ = std::numeric_limits<double>::infinity(); }
  [[nodiscard]] double least() const { return least_; }

 private:
  std::string engine_;
  torch::jit::Module module_;
  double least_ = std::numeric_limits<double>::infinity();
};

/// The executor specializes in the first two runs, and oneDNN prepares its kernels: those do not count. Of a network that
/// takes long, the second run has to do.
void time_in_turns(std::vector<Timed>& files, const std::vector<c10::IValue>& inputs) {
  for (Timed& file : files) file.run(inputs);
  for (Timed& file : files) file.forget();
  double spent = 0;
  for (int turn = 0; turn < kMostTurns && (turn < 1 || spent < kSeconds); ++turn) {
    const auto start = Clock::now();
    for (Timed& file : files) file.run(inputs);
    spent += std::chrono::duration<double>(Clock::now() - start).count();
  }
}

}  // namespace
}  // namespace quantize

PlainLoad time_plain_load(const std::filesystem::path& original, const std::filesystem::path& written,
                          const CalibrationOptions& calibration) {
  const runtime::CapturedOutput captured;
  const quantize::EngineGuard guard;
  PlainLoad load;
  load.threads = at::get_num_threads();
  load.plain_engine = plain_load_engine();
  EngineFacts facts = engine_facts();
  facts.standing = load.plain_engine;
  std::vector<Int8Facts> files;
  if (const auto int8 = int8_facts(written)) files.push_back(*int8);
  load.best_engine = choose_engine("auto", facts, files).engine;

  const bool plain_runs = plain_load_runs_int8();
  std::vector<quantize::Timed> timed;
  timed.emplace_back(original, plain_runs ? load.plain_engine : load.best_engine);
  if (plain_runs) timed.emplace_back(written, load.plain_engine);
  if (!plain_runs || load.best_engine != load.plain_engine) timed.emplace_back(written, load.best_engine);
  quantize::Samples samples(calibration, quantize::argument_names(timed.front().schema()));
  quantize::time_in_turns(timed, samples.next()->inputs);
  load.original = timed[0].least();
  load.plain = plain_runs ? timed[1].least() : std::numeric_limits<double>::quiet_NaN();
  load.best = timed.back().least();
  return load;
}

}  // namespace fusekit
