#include "rewrite/fold.h"
#include "rewrite/rules.h"

// y = linear(x, W, b)          x: (N, in_features)
// z = batch_norm(y, gamma, beta, mean, var, training=False)
// ->
// z = linear(x, W', b')

namespace fusekit::rewrite {

Rule linear_bn() {
  return {.name = "linear+bn",
          .summary = "Linear + BatchNorm1d on 2-D data: the BatchNorm is folded into the linear's weight and bias",
          .pattern = {linear(), batch_norm()},
          .decide = fold_batch_norm,
          .tolerance = 1e-5};
}

}  // namespace fusekit::rewrite
