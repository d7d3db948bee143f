#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// y = x W^T + b: aten::linear, or what old traces have, aten::addmm on a transposed weight with alpha and beta 1.
struct Linear {
  Node* node = nullptr;
  Value* input = nullptr;   ///< (..., in)
  Value* weight = nullptr;  ///< (out, in)
  Value* bias = nullptr;    ///< (out) or None
  bool is_addmm = false;    ///< raises on data of another rank than 2
};

std::optional<Linear> as_linear(Node* node);

}  // namespace fusekit::ir
