#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// y = gamma (x - mean) / sqrt(var + eps) + beta along dimension 1.
struct BatchNorm {
  Node* node = nullptr;
  Value* input = nullptr;        ///< (N, C, ...)
  Value* gamma = nullptr;        ///< (C) or None
  Value* beta = nullptr;         ///< (C) or None
  Value* mean = nullptr;         ///< (C) or None
  Value* var = nullptr;          ///< (C) or None
  std::optional<bool> training;  ///< uses the batch's statistics; nullopt: decided at run time
  std::optional<double> eps;     ///< nullopt: computed at run time
};

std::optional<BatchNorm> as_batch_norm(Node* node);

}  // namespace fusekit::ir
