#include "rewrite/fold.h"
#include "rewrite/match.h"

// y = convolution(x, W, b)
// z = batch_norm(y, gamma, beta, mean, var, training=False)
// ->
// z = convolution(x, W', b')

namespace fusekit::rewrite {
namespace {

void rewrite_conv_bn(const Site& site, Context& context) { fold_batch_norm(site, context); }

}  // namespace

template <>
Rule rule<"conv+bn">() {
  return {"conv+bn",
          "Conv{1,2,3}d + BatchNorm: the BatchNorm is folded into the convolution's weight and bias",
          {convolution, batch_norm},
          convolution_cannot_take_batch_norm,
          rewrite_conv_bn,
          1e-5};
}

}  // namespace fusekit::rewrite
