#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// Adds elements of one value at the ends of the last dimensions: aten::constant_pad_nd, and aten::pad with mode
/// "constant". A negative count takes elements away.
struct Pad {
  Node* node = nullptr;
  Value* input = nullptr;
  std::vector<std::int64_t> before;  ///< by dimension, the last dimension first
  std::vector<std::int64_t> after;
  double value = 0;
};

/// nullopt: something else, or its counts or value are computed at run time.
std::optional<Pad> as_pad(Node* node);

}  // namespace fusekit::ir
