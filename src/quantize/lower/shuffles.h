#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace fusekit::quantize {

/// Puts aten::channel_shuffle in the place of channel shuffles that are written out, where the sizes of their views prove
/// that they are: on int8 it takes a tenth of the time (README.md).
void name_shuffles(torch::jit::Graph& graph);

}  // namespace fusekit::quantize
