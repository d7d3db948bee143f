#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace fusekit::file {

/// LibTorch writes a float constant that is a large whole number (1e12) without a point, and reads an int. This writes
/// those as float(1000000000000), which is the same number.
void keep_whole_floats(torch::jit::Graph& graph);

}  // namespace fusekit::file
