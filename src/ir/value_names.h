#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <string>

namespace fusekit::ir {

/// A module path as one identifier: "layer2.0" -> "layer2_0".
std::string identifier(const std::string& path);

/// Gives every named value of a flat graph a name of its own that says where it is computed: "x" of the module
/// layer1.0 becomes "layer1_0_x". Saving counts up from a name that is taken, which is quadratic in equal names.
void name_values(torch::jit::Graph& graph);

}  // namespace fusekit::ir
