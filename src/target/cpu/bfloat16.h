#pragma once

#include "inputs/observed_tensors.h"
#include "ir/program.h"

namespace fusekit::target {

/// Lets every layer with constant weights compute in bfloat16: its weights are stored so, its input is converted, and what
/// follows works on bfloat16 as long as nothing makes float of it. What the graph gives out has the dtype that it had.
/// `observed`: what the graph's tensors were.
void compute_in_bfloat16(ir::Program& program, ir::Graph& graph, const inputs::ObservedTensors& observed);

/// For a graph that does not run after that: a mask in float makes float of scores, and a product takes one dtype. What was
/// float in the run is bfloat16 for every product of two tensors.
void multiply_in_bfloat16(ir::Graph& graph, const inputs::ObservedTensors& observed);

}  // namespace fusekit::target
