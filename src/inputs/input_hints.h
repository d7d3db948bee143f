#pragma once

#include <torch/script.h>

#include <optional>
#include <string>
#include <vector>

namespace fusekit::inputs {

/// What the graph does first with an argument: the operator that fixes its rank and channels.
struct InputHint {
  enum class Kind { convolution, linear, indices, recurrent, normalization };

  Kind kind = Kind::convolution;
  std::int64_t channels = 0;  ///< the size that the weight asks for; of indices: the number of rows
  int spatial = 2;            ///< of a convolution: 1, 2 or 3
  bool flattened = false;     ///< a view or flatten stands between the argument and the operator
  bool matrix_only = false;   ///< of a linear layer: takes rank 2 alone (addmm)
  at::ScalarType dtype = at::kFloat;
  std::vector<const torch::jit::Node*> path;  ///< from the argument to the operator: what changes the shape on the way
};

/// The shape of the argument, where the operator at the end of the hint's path is to be given `shape`: permutes and
/// unsqueezes on the way are undone. Empty where they don't fit the rank.
std::optional<std::vector<std::int64_t>> undo_path(const InputHint& hint, std::vector<std::int64_t> shape);

/// An inlined copy of a method's graph and what it says about each of its arguments. Its hints point into it.
class HintedGraph {
 public:
  HintedGraph(const torch::jit::Module& module, const std::string& method);

  /// The nearest such operator that argument k (self left out) reaches, if any.
  [[nodiscard]] std::optional<InputHint> hint(std::size_t k) const;
  /// The first such operator of the whole graph: for arguments that hide in lists.
  [[nodiscard]] std::optional<InputHint> first_hint() const;
  /// The number of rows of the smallest embedding; 0 where there is none.
  [[nodiscard]] std::int64_t embedding_rows() const;

 private:
  torch::jit::Module module_;
  std::shared_ptr<torch::jit::Graph> graph_;
};

}  // namespace fusekit::inputs
