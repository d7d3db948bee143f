#pragma once

#include "inputs/observed_tensors.h"
#include "ir/program.h"

namespace fusekit::target {

/// Replaces attention that is written out,
///   softmax(q k^T * scale + mask) v,
/// by aten::scaled_dot_product_attention, where it is the same beyond doubt. Whether there was any.
bool attend_at_once(torch::jit::Graph& graph, const ir::Program& program, const inputs::ObservedTensors& observed);

}  // namespace fusekit::target
