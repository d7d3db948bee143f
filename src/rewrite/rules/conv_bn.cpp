#include "rewrite/fold.h"
#include "rewrite/rules.h"

// y = convolution(x, W, b)
// z = batch_norm(y, gamma, beta, mean, var, training=False)
// ->
// z = convolution(x, W', b')

namespace fusekit::rewrite {

Rule conv_bn() {
  return {.name = "conv+bn",
          .summary = "Conv{1,2,3}d + BatchNorm: the BatchNorm is folded into the convolution's weight and bias",
          .pattern = {convolution(), batch_norm()},
          .decide = fold_batch_norm,
          .tolerance = 1e-5};
}

}  // namespace fusekit::rewrite
