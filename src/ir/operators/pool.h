#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// aten::{max,avg}_pool{1,2,3}d and aten::adaptive_{max,avg}_pool{1,2,3}d.
struct Pool {
  Node* node = nullptr;
  Value* input = nullptr;  ///< (N, C, ...), in some without N
  int spatial = 0;         ///< 1, 2 or 3
  bool is_max = false;
  bool is_adaptive = false;
};

std::optional<Pool> as_pool(Node* node);

/// aten::upsample_*: interpolation of (N, C, ...) to another size.
struct Upsample {
  Node* node = nullptr;
  Value* input = nullptr;
  int spatial = 0;
};

std::optional<Upsample> as_upsample(Node* node);

}  // namespace fusekit::ir
