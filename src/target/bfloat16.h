#pragma once

#include "file/original.h"
#include "inputs/inputs.h"
#include "ir/program.h"

namespace fusekit::target {

/// Lets every layer of `method` with constant weights compute in bfloat16: its weights are stored so, its input is
/// converted, and what follows works on bfloat16 as long as nothing makes float of it. What forward gives out has the dtype
/// that it had. Small products, for which that would cost more than it saves on a CPU, stay as they are.
/// `sample`: what forward is given in the run that tells which tensors are float. Error{input}: it can't be run on it.
void compute_in_bfloat16(ir::Program& program, ir::Method& method, const file::Original& original,
                         const inputs::Sample& sample);

}  // namespace fusekit::target
