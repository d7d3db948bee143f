#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace fusekit::ir {

/// What is certain of the numbers of dimensions in one graph. Values whose ranks must be equal (a convolution's input
/// and output, ...) share a class; a class's rank is known everywhere, or from a check on that raises otherwise.
class RankFacts {
 public:
  explicit RankFacts(torch::jit::Graph& graph);

  /// The rank that `value` certainly has when `at` runs.
  [[nodiscard]] std::optional<std::int64_t> rank(const torch::jit::Value* value, const torch::jit::Node* at) const;

  /// From `since` on (and in what it dominates) `value` has `rank`.
  void learn(const torch::jit::Value* value, std::int64_t rank, const torch::jit::Node* since);

 private:
  struct Fact {
    std::int64_t rank = 0;
    const torch::jit::Node* since = nullptr;  ///< nullptr: everywhere
  };

  int class_of(const torch::jit::Value* value);
  int find(int index) const;
  void join(const torch::jit::Value* a, const torch::jit::Value* b);
  void visit(torch::jit::Node* node);
  void visit_branches(const torch::jit::Node* node);
  void visit_shape_changes(const torch::jit::Node* node);
  void visit_strict_convolution(torch::jit::Node* node);
  void visit_arithmetic(torch::jit::Node* node);

  std::unordered_map<const torch::jit::Value*, int> classes_;
  mutable std::vector<int> parent_;
  std::vector<std::vector<Fact>> facts_;  ///< by root of a class
};

/// The value whose rank this node computes: aten::dim(v) or aten::len(aten::size(v)); nullptr for others.
const torch::jit::Value* rank_source(const torch::jit::Node* node);

}  // namespace fusekit::ir
