#pragma once

#include <optional>
#include <string>

#include "inputs/inputs.h"
#include "runtime/captured_output.h"
#include "verify/runnable.h"

namespace fusekit::gate {

/// One network's run: what it gave, what it made of its inputs, what it printed; or why it could not be run.
struct Run {
  c10::IValue output;
  inputs::Sample inputs;
  std::string printed;
  std::optional<std::string> problem;
};

/// Runs `method` of the network called `name` on a copy of `sample`, with the same seed each time. Error: the run exceeds its
/// limits (runtime::LimitedRun).
Run run_once(const Runnable& network, const std::string& name, const std::string& method, const inputs::Sample& sample,
             runtime::CapturedOutput& captured);

}  // namespace fusekit::gate
