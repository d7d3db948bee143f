#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fusekit::ir {

struct Program;

/// An operator that multiplies and adds, whatever becomes of it: a layer, a product of matrices, attention, or a recurrent
/// layer with all its steps.
struct Work {
  torch::jit::Node* node = nullptr;
  std::string name;                         ///< "convolution", "linear", else the operator's own: "matmul"
  std::vector<torch::jit::Value*> tensors;  ///< whose shapes tell how much it is: the inputs, and the first output last
};

std::optional<Work> as_work(torch::jit::Node* node);

/// The shape of a tensor; empty where it is not known.
using ShapeOf = std::function<std::vector<std::int64_t>(const torch::jit::Value* value)>;

/// Multiply-adds of one run of `work`; 0 where its shapes are not known.
double multiply_adds(const Work& work, const Program& program, const ShapeOf& shape_of);

}  // namespace fusekit::ir
