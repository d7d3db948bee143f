#pragma once

#include <torch/script.h>

namespace fusekit::gate {

/// How far a rewritten network may be off, relative to its largest output, where the user gives no tolerance: set by
/// the coarsest floating-point dtype among the module's parameters and buffers. 1e-5 for float and double (what another
/// order of summation costs), 2e-2 for half, 1e-1 for bfloat16.
double default_tolerance(const torch::jit::Module& module);

}  // namespace fusekit::gate
