#include "rewrite/fold.h"
#include "rewrite/rules.h"

// y = conv_transpose(x, W, b)
// z = batch_norm(y, gamma, beta, mean, var, training=False)
// ->
// z = conv_transpose(x, W', b')

namespace fusekit::rewrite {

Rule conv_transpose_bn() {
  return {.name = "conv_transpose+bn",
          .summary = "ConvTranspose{1,2,3}d + BatchNorm: folded as conv+bn, also with groups",
          .pattern = {transposed_convolution(), batch_norm()},
          .decide = fold_batch_norm,
          .tolerance = 1e-5};
}

}  // namespace fusekit::rewrite
