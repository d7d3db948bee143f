#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <memory>
#include <vector>

#include "inputs/observed_tensors.h"

namespace fusekit::target {

/// A tensor among a method's arguments, as a road expects it.
struct ExpectedInput {
  std::size_t index = 0;  ///< among the graph's inputs, self included
  std::vector<std::int64_t> sizes;
  at::ScalarType dtype = at::kFloat;
  bool is_contiguous = false;  ///< it has to be
};

/// What the tensors among the graph's inputs were.
std::vector<ExpectedInput> expected_inputs(torch::jit::Graph& graph, const inputs::ObservedTensors& observed);

/// A graph that does what `fast` does where the inputs are those that are expected, on the CPU, and otherwise what `plain`
/// does. Both are left as they are.
std::shared_ptr<torch::jit::Graph> two_roads(torch::jit::Graph& fast, torch::jit::Graph& plain,
                                             const std::vector<ExpectedInput>& expected);

}  // namespace fusekit::target
