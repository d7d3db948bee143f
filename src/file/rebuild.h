#pragma once

#include <torch/script.h>

#include "ir/program.h"

namespace fusekit::file {

using ir::Graph;
using ir::Node;
using ir::Value;

/// A fresh module tree of what the program's graphs use: original class names (unmangled), order of children,
/// parameter and buffer names, tied weights, shared modules; and the modules that the program has of its own, under free
/// names. The program stays as it was.
torch::jit::Module rebuild(const ir::Program& program);

/// The same to be run: what its methods write reaches neither the program nor the file that is written of it.
/// Error{model} where the state can't be copied.
torch::jit::Module rebuild_to_run(const ir::Program& program);

}  // namespace fusekit::file
