#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

#include "inputs/draw.h"

namespace fusekit::inputs {

/// Finds inputs on which `method` runs: it runs candidates that the graph suggests, most likely first. Error{input}: none
/// of them runs, or they take too long. The runs change a module with state.
std::vector<ArgumentForm> infer_inputs(torch::jit::Module& module, const std::string& method);

}  // namespace fusekit::inputs
