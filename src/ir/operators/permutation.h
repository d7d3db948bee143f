#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// The same elements with the dimensions in another order: aten::permute, aten::transpose and its other names, aten::t.
struct Permutation {
  Node* node = nullptr;
  Value* input = nullptr;
  bool swaps = false;              ///< `dims` are two that change places; else the order of all of them
  std::vector<std::int64_t> dims;  ///< may be negative

  /// For data of `rank` dimensions, the dimension of the input that each dimension of the output is. nullopt: the operator
  /// raises on such data.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> order(std::int64_t rank) const;
};

/// nullopt: something else, or its dimensions are computed at run time.
std::optional<Permutation> as_permutation(Node* node);

}  // namespace fusekit::ir
