#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include "inputs/observed_tensors.h"

namespace fusekit::target {

/// Puts aten::native_channel_shuffle, which works in any layout, in the place of a channel shuffle written out:
/// x.view(N, groups, C / groups, H, W).transpose(1, 2).contiguous().view(N, C, H, W). Where the sizes do not depend on
/// data, and were these in the run of `observed`.
void shuffle_channels(torch::jit::Graph& graph, inputs::ObservedTensors& observed);

}  // namespace fusekit::target
