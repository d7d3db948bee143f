#include "fusekit/engine.h"
#include "fusekit/quantize.h"

namespace fusekit {

EngineChoice apply_for(const RuntimeOptions& runtime, const QuantizeOptions& options) {
  apply(runtime);
  const EngineFacts facts = engine_facts(runtime);
  const bool is_auto = options.qconfig == Qconfig::automatic;
  const bool saturated = saturates(facts.standing, facts);
  Int8Facts file;
  file.full_range = options.qconfig == Qconfig::qnnpack || (is_auto && !saturated);
  EngineChoice standing = choose_engine(facts.standing, facts, {file});
  if (runtime.engine != "auto" || (saturated && is_auto)) return standing;
  EngineChoice chosen = choose_engine("auto", facts, {file});
  RuntimeOptions settled = runtime;
  settled.engine = chosen.engine;
  apply(settled);
  chosen.warnings = std::move(standing.warnings);
  return chosen;
}

}  // namespace fusekit
