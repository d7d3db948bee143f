#include "verify/one_run.h"

#include "runtime/error_text.h"
#include "runtime/limited_run.h"

namespace fusekit::gate {
namespace {

constexpr std::uint64_t kSeed = 20200722;  // any number: the same before each run of a and of b

}  // namespace

Run run_once(const Runnable& network, const std::string& name, const std::string& method, const inputs::Sample& sample,
             runtime::CapturedOutput& captured) {
  Run run;
  for (const c10::IValue& input : sample) run.inputs.push_back(input.deepcopy());
  at::manual_seed(kSeed);
  runtime::LimitedRun limited(fmt::format("a run of {} of {}", method, name));
  try {
    run.output = network.run(method, run.inputs);
  } catch (...) {
    limited.check();
    run.problem = runtime::explain_current_exception();
  }
  run.printed = captured.take_printed();
  return run;
}

}  // namespace fusekit::gate
