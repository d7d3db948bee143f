#include <fmt/format.h>

#include <string>

#include "fusekit/engine.h"
#include "fusekit/quantize.h"

namespace fusekit {
namespace {

/// What to say where LibTorch by itself takes an engine that has no kernels for this CPU.
void tell_of_plain_load(EngineChoice& choice, const EngineFacts& facts) {
  if (facts.engines.empty() || plain_load_runs_int8()) return;
  const std::string plain = plain_load_engine();
  choice.warnings.push_back(
      fmt::format("a plain torch.jit.load of an int8 file fails on this CPU: this LibTorch takes the engine {}, which "
                  "has no kernels "
                  "for it; a program has to choose {} first (Python: torch.backends.quantized.engine = '{}')",
                  plain, choice.engine, choice.engine));
}

}  // namespace

EngineChoice apply_for(const RuntimeOptions& runtime, const QuantizeOptions& options) {
  apply(runtime);
  const EngineFacts facts = engine_facts(runtime);
  const bool is_auto = options.qconfig == Qconfig::automatic;
  const bool saturated = saturates(facts.standing, facts);
  Int8Facts file;
  file.full_range = options.qconfig == Qconfig::qnnpack || (is_auto && !saturated);
  EngineChoice standing = choose_engine(facts.standing, facts, {file});
  tell_of_plain_load(standing, facts);
  if (runtime.engine != "auto" || (saturated && is_auto)) return standing;
  EngineChoice chosen = choose_engine("auto", facts, {file});
  RuntimeOptions settled = runtime;
  settled.engine = chosen.engine;
  apply(settled);
  chosen.warnings = std::move(standing.warnings);
  return chosen;
}

}  // namespace fusekit
