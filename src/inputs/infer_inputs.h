#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

#include "inputs/draw.h"

namespace fusekit::inputs {

/// Finds inputs that `method` runs on, by running candidates that its graph suggests, likeliest first. Error{input}:
/// none runs, or those that were tried took too long. The candidates leave their traces in a module with state.
std::vector<ArgumentForm> infer_inputs(torch::jit::Module& module, const std::string& method);

}  // namespace fusekit::inputs
