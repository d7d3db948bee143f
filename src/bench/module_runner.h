#pragma once

#include <torch/script.h>

#include <string>

#include "fusekit/bench.h"
#include "inputs/inputs.h"
#include "runtime/captured_output.h"
#include "runtime/limited_run.h"

namespace fusekit::bench {

/// A network that is loaded in this process, with its arguments.
class ModuleRunner : public Runner {
 public:
  explicit ModuleRunner(const Variant& variant);

  void run() override { forward(); }
  std::string run_and_print() override;
  [[nodiscard]] const torch::jit::Module& module() const { return module_; }

 private:
  c10::IValue forward();

  runtime::CapturedOutput captured_;  ///< what the network prints is no result of the benchmark
  std::string path_;
  runtime::Watch watch_;  ///< the hard bound alone: the soft one would look at each allocation of what is timed
  torch::jit::Module module_;
  inputs::Sample arguments_;
};

}  // namespace fusekit::bench
