#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// aten::to that gives a tensor another dtype and leaves device and layout as they are; without a copy where it has that
/// dtype.
struct Conversion {
  Node* node = nullptr;
  Value* input = nullptr;
  at::ScalarType dtype = at::kFloat;
};

/// nullopt: the node does something else, or its arguments are computed at run time.
std::optional<Conversion> as_conversion(Node* node);

}  // namespace fusekit::ir
