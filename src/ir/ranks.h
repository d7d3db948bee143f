#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fusekit::ir {

/// What is certain of the numbers of dimensions in one graph. Values whose ranks must be equal (a convolution's input
/// and output, ...) share a class; a class's rank is known everywhere, from a check on that raises otherwise, or by the
/// ranks of what its first value is computed from (operators/output_rank.h). A list stands for its elements.
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
  void join_if_same(const torch::jit::Value* output, const std::vector<torch::jit::Value*>& inputs);
  [[nodiscard]] bool same(const torch::jit::Value* a, const torch::jit::Value* b);
  void visit(torch::jit::Block* block);
  void visit(torch::jit::Node* node);
  void visit_branches(const torch::jit::Node* node);
  void visit_loop(const torch::jit::Node* node);
  void visit_strict_layer(torch::jit::Node* node);

  /// What one question has worked out already, or is working out: ranks by a class and where it was asked.
  using Known = std::map<std::pair<int, const torch::jit::Node*>, std::optional<std::int64_t>>;
  std::optional<std::int64_t> rank(const torch::jit::Value* value, const torch::jit::Node* at, Known& known) const;
  std::optional<std::int64_t> computed(const torch::jit::Value* first, const torch::jit::Node* at, Known& known) const;

  std::unordered_map<std::size_t, int> classes_;  ///< by the number of a value, which no later one gets
  mutable std::vector<int> parent_;
  std::vector<std::vector<Fact>> facts_;         ///< by root of a class
  std::vector<const torch::jit::Value*> first_;  ///< of a class, by its root: what all others come from
};

/// The value whose rank this node computes: aten::dim(v) or aten::len(aten::size(v)); nullptr for others.
const torch::jit::Value* rank_source(const torch::jit::Node* node);

}  // namespace fusekit::ir
