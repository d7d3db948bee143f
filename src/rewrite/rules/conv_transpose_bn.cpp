#include "rewrite/fold.h"
#include "rewrite/match.h"

// y = conv_transpose(x, W, b)
// z = batch_norm(y, gamma, beta, mean, var, training=False)
// ->
// z = conv_transpose(x, W', b')

namespace fusekit::rewrite {
template <>
Rule rule<"conv_transpose+bn">() {
  return {"conv_transpose+bn", "ConvTranspose{1,2,3}d + BatchNorm: folded as conv+bn, also with groups",
          {transposed_convolution, batch_norm}, convolution_cannot_take_batch_norm, fold_batch_norm, 1e-5};
}

}  // namespace fusekit::rewrite
