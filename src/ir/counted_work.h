#pragma once

#include <torch/script.h>

#include <cstddef>
#include <vector>

#include "ir/program.h"

namespace fusekit::ir {

/// Multiply-adds of one run.
struct CountedWork {
  double multiply_adds = 0;
  std::size_t unknown = 0;  ///< operators that are not counted: only a run would tell their shapes
};

/// Counts the multiply-adds of a method on these arguments (self left out, defaults filled in) without running it: of the
/// arguments only shapes and dtypes count, each operator tells the shapes of what it gives (on LibTorch's meta device,
/// where tensors have no data), and numbers that come of shapes are computed. The graph stays as it is.
CountedWork count_work(const Program& program, const Method& method, const std::vector<c10::IValue>& arguments);

}  // namespace fusekit::ir
