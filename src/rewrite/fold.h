#pragma once

#include <variant>

#include "rewrite/folded_weights.h"
#include "rewrite/rule.h"

namespace fusekit::rewrite {

/// A BatchNorm that a convolution or linear can take into its weight and bias.
struct BatchNormFold {
  Node* layer = nullptr;
  Node* batch_norm = nullptr;
  std::string key;        ///< one name for what is folded: the same fold at two places makes one pair; "": no name
  FoldedWeights weights;  ///< undefined where `key` is known to the program already
  std::int64_t rank = 0;  ///< of the data
  bool proven = false;    ///< is the rank certain? Otherwise the layer will have to insist on it, as the BatchNorm did

  /// A new weight and bias, and the BatchNorm is gone. Returns the node that stands for the layer: where the rank was not
  /// proven it is aten::_convolution or aten::addmm, which raise on data of another rank.
  Node* apply(Facts& facts) const;

  /// What the user should know of it.
  [[nodiscard]] Reason note() const;
};

/// The fold of the second node of the site into the first, or why there is none: batch statistics, tensors that are not
/// constant or don't fit, a result that leaves the dtype's range, other readers, data whose dimension 1 is not the
/// layer's output channels. Where the rank of a convolution's data is not known, the fold will insist on it; a linear's
/// has to be 2 for certain, or by what the user said.
std::variant<Reason, BatchNormFold> find_fold(const Site& site, Facts& facts);

/// The decision of a rule that folds the BatchNorm at the end of a site into the layer in front of it.
Decision fold_batch_norm(const Site& site, Facts& facts);

/// Why the BatchNorm `node` is no fixed scale and shift of each channel.
Reason batch_norm_is_not_constant(Node* node, const Facts& facts);

/// Why `value`, a layer's or BatchNorm's `what` ("weight"), is no constant dense floating-point tensor.
Reason not_constant(const Value* value, const std::string& what, const Facts& facts);

}  // namespace fusekit::rewrite
