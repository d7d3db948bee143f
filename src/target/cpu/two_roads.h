#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <memory>
#include <vector>

#include "inputs/inputs.h"

namespace fusekit::target {

/// Whose arguments take the fast road: those that are like the ones that it was made for.
struct Expected {
  std::vector<c10::IValue> arguments;  ///< of forward, self left out, one for each
  bool contiguous = false;             ///< tensors have to be
};

/// Can it be told at run time whether an argument is like this one? Tensors (and lists of them) by shape, dtype and
/// device, None, and numbers.
bool can_be_told(const c10::IValue& argument);

/// A graph that does what `fast` does where the arguments are what is expected, on the CPU, and otherwise what `plain`
/// does. Both are left as they are. All arguments can be told.
std::shared_ptr<torch::jit::Graph> two_roads(torch::jit::Graph& fast, torch::jit::Graph& plain,
                                             const Expected& expected);

}  // namespace fusekit::target
