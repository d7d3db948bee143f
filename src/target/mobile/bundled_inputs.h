#pragma once

#include <torch/script.h>

#include "inputs/inputs.h"

namespace fusekit::target {

/// Gives the module the methods that torch.utils.bundled_inputs gives one, with `sample` as forward's only input: so
/// speed_benchmark_torch and `bench` run it with use_bundled_input = 0. Error{usage}: it has bundled inputs already, or
/// forward takes none.
void bundle_inputs(torch::jit::Module& module, const inputs::Sample& sample);

}  // namespace fusekit::target
