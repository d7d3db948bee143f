#include "ir/operators/batch_norm.h"

#include "ir/constants.h"

namespace fusekit::ir {

std::optional<BatchNorm> as_batch_norm(Node* node) {
  if (!is_operator(node, {"aten::batch_norm"})) return std::nullopt;
  return BatchNorm{node,
                   argument(node, "input"),
                   argument(node, "weight"),
                   argument(node, "bias"),
                   argument(node, "running_mean"),
                   argument(node, "running_var"),
                   constant_bool(argument(node, "training")),
                   constant_number(argument(node, "eps"))};
}

}  // namespace fusekit::ir
