#pragma once

#include "inputs/observed_tensors.h"
#include "ir/program.h"

namespace fusekit::target {

/// Takes torch.nn's attention and encoder layers, where each is one operator, apart into linears, which can be packed, and
/// scaled_dot_product_attention, where that pays. `observed` grows by what is written. Whether there was any.
bool take_layers_apart(torch::jit::Graph& graph, const ir::Program& program, inputs::ObservedTensors& observed);

}  // namespace fusekit::target
