#pragma once

#include <map>
#include <vector>

#include "quantize/observe/samples.h"
#include "quantize/observe/values.h"

namespace fusekit::quantize {

/// The shapes that a tensor has in one run: one each time that it is computed, in a loop several.
using Shapes = std::map<int, std::vector<std::vector<std::int64_t>>>;

/// Runs the network on `sample`, and notes the shapes of `values` by their numbers. Those that are not reached have none.
Shapes shapes_in_a_run(const ir::Program& program, const Numbering& numbers, const std::vector<const Value*>& values,
                       const Sample& sample);

}  // namespace fusekit::quantize
