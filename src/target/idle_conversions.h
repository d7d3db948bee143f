#pragma once

#include "inputs/observed_tensors.h"
#include "ir/program.h"

namespace fusekit::target {

/// Takes out conversions of tensors that had that dtype already in the run that was observed: for a graph that runs on the
/// like alone.
void drop_idle_conversions(ir::Graph& graph, const inputs::ObservedTensors& observed);

/// Takes out conversions of what has that dtype whatever the graph is given: of what a layer with weights of that dtype
/// made, as it is handed on by operators that keep it. Between two layers a conversion costs a call, and LibTorch's graph
/// fuser the layout that oneDNN would like there.
void drop_certain_conversions(ir::Graph& graph, const ir::Program& program);

}  // namespace fusekit::target
