#pragma once

#include <torch/script.h>

#include <functional>
#include <string>
#include <vector>

#include "inputs/draw.h"

namespace fusekit::inputs {

/// Gives the network again, in the state that its file has it in.
using Fresh = std::function<torch::jit::Module()>;

/// Finds inputs on which `method` runs: it runs candidates that the graph suggests, most likely first. Error{input}: none
/// of them runs, or they take too long. The runs change a module with state; with `fresh` each candidate starts from the
/// file's.
std::vector<ArgumentForm> infer_inputs(const torch::jit::Module& module, const std::string& method,
                                       const Fresh& fresh = {});

}  // namespace fusekit::inputs
