#pragma once

#include <torch/script.h>

#include "model/program.h"

namespace fusekit::model {

/// Does this module pack its own state (__getstate__, __setstate__)? Such a module is kept as it is.
bool is_opaque(const torch::jit::Module& module);

/// A fresh module tree of what the program's graphs use: original class names (unmangled), order of children,
/// parameter and buffer names, tied weights, shared modules. The program stays as it was.
torch::jit::Module rebuild(const Program& program);

}  // namespace fusekit::model
