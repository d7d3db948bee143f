#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

#include "inputs/draw.h"
#include "inputs/inputs.h"

namespace fusekit::inputs {

struct InferredInputs {
  std::vector<ArgumentForm> forms;
  std::string too_large;  ///< the first candidate that took too much time or memory, in words; empty where none did
};

/// Finds inputs on which `method` runs: it runs candidates that the graph suggests, most likely first, within bounds on time
/// and memory (runtime::limits_of_guesses). Where a candidate exceeds them or is slow, smaller ones are tried; a slow one is
/// taken where no smaller one runs. Error{input}: none of them runs, or they take too long. The runs change a module with
/// state; with `fresh` each candidate starts from the file's.
InferredInputs infer_inputs(const torch::jit::Module& module, const std::string& method, const Fresh& fresh = {});

}  // namespace fusekit::inputs
