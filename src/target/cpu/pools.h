#pragma once

#include "inputs/observed_tensors.h"
#include "target/cpu/channels_last.h"

namespace fusekit::target {

/// Pools whose data lies in channels_last, as operators that take less time than LibTorch's own. What it writes works in
/// place, on tensors that it makes.
void lower_pools(torch::jit::Graph& graph, const inputs::ObservedTensors& observed, const ChannelsLast& channels_last);

}  // namespace fusekit::target
