#pragma once

#include "file/original.h"
#include "inputs/observed_tensors.h"
#include "ir/program.h"

namespace fusekit::target {

/// What the tensors of `graph`, a copy of that of `method`, are in a run on `sample`. Error{input}: it can't be run.
inputs::ObservedTensors observe(const file::Original& original, const ir::Method& method, ir::Graph& graph,
                                const inputs::Sample& sample);

}  // namespace fusekit::target
