#pragma once

#include <variant>

#include "rewrite/folded_weights.h"
#include "rewrite/layer_edits.h"
#include "rewrite/rule.h"

namespace fusekit::rewrite {

/// The number of dimensions of a layer's data. One that is not proven the layer will have to insist on.
struct RankOfData {
  std::int64_t value = 0;
  bool proven = false;
};

/// A BatchNorm that a convolution or linear can take into its weight and bias.
struct BatchNormFold {
  Node* layer = nullptr;
  Node* batch_norm = nullptr;
  std::string key;        ///< one name for what is folded: the same fold at two places makes one pair; "": no name
  FoldedWeights weights;  ///< undefined where `key` is known to the program already
  RankOfData rank;

  /// A new weight and bias, and the BatchNorm is gone. Returns the node that stands for the layer: where the rank was not
  /// proven it is aten::_convolution or aten::addmm, which raise on data of another rank.
  Node* apply(Facts& facts) const;

  /// The folded weight and bias as values in front of the layer.
  LayerWeights insert(ir::Program& program) const;

  /// What the user should know of it.
  [[nodiscard]] Reason note() const;
};

/// The fold of the second node of the site into the first, or why there is none: batch statistics, tensors that are not
/// constant or don't fit, a result that leaves the dtype's range, other readers, data whose dimension 1 is not the
/// layer's output channels. Where the rank of a convolution's data is not known, the fold will insist on it; a linear's
/// has to be 2 for certain, or by what the user said.
std::variant<Reason, BatchNormFold> find_fold(const Site& site, Facts& facts);

/// Why the tensors of the layer and the BatchNorm do not make one fixed layer.
Reason is_not_constant(const ir::Layer& layer, Node* batch_norm, Facts& facts);

/// The fold of these, whose tensors are constant, where the BatchNorm's channels are the layer's; or why there is none:
/// other sizes, a result that leaves the dtype's range.
std::variant<Reason, BatchNormFold> folded(const ir::Layer& layer, Node* batch_norm, RankOfData rank,
                                           const Facts& facts);

/// The decision of a rule that folds the BatchNorm at the end of a site into the layer in front of it.
Decision fold_batch_norm(const Site& site, Facts& facts);

/// Why the BatchNorm `node` is no fixed scale and shift of each channel.
Reason batch_norm_is_not_constant(Node* node, const Facts& facts);

/// Why `value`, a layer's or BatchNorm's `what` ("weight"), is no constant dense floating-point tensor.
Reason not_constant(const Value* value, const std::string& what, const Facts& facts);

}  // namespace fusekit::rewrite
