#include "rewrite/fold.h"
#include "rewrite/match.h"

// y = conv_transpose(x, W, b)
// z = batch_norm(y, gamma, beta, mean, var, training=False)
// ->
// z = conv_transpose(x, W', b')

namespace fusekit::rewrite {
namespace {

void rewrite_conv_transpose_bn(const Site& site, Context& context) { fold_batch_norm(site, context); }

}  // namespace

template <>
Rule rule<"conv_transpose+bn">() {
  return {"conv_transpose+bn",
          "ConvTranspose{1,2,3}d + BatchNorm: folded as conv+bn, also with groups",
          {transposed_convolution, batch_norm},
          convolution_cannot_take_batch_norm,
          rewrite_conv_transpose_bn,
          1e-5};
}

}  // namespace fusekit::rewrite
