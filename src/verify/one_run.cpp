#include "verify/one_run.h"

#include "runtime/error_text.h"

namespace fusekit::gate {
namespace {

constexpr std::uint64_t kSeed = 20200722;  // any number: the same before each run of a and of b

}  // namespace

Run run_once(torch::jit::Module& module, const std::string& method, const inputs::Sample& sample,
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

}  // namespace fusekit::gate
