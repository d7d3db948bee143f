#include "rewrite/fold.h"
#include "rewrite/match.h"

// y = convolution(x, W, b)
// z = batch_norm(y, gamma, beta, mean, var, training=False)
// r = relu(z)
// ->
// y = convolution(x, W', b')
// r = relu_(y)                 one group

namespace fusekit::rewrite {
namespace {

WhyNot why_not_conv_bn_relu(const Site& site, Context& context) {
  if (const WhyNot reason = relu_cannot_work_in_place(site, context)) return reason;
  return convolution_cannot_take_batch_norm(site, context);
}

void rewrite_conv_bn_relu(const Site& site, Context& context) {
  Node* convolution = fold_batch_norm(site, context);
  group_with_relu({{convolution, site.nodes[2]}}, "conv+bn+relu", context);
}

}  // namespace

template <>
Rule rule<"conv+bn+relu">() {
  return {"conv+bn+relu",
          "Conv{1,2,3}d + BatchNorm + ReLU: folded as conv+bn, the ReLU in place, one group for a target",
          {convolution, batch_norm, relu},
          why_not_conv_bn_relu,
          rewrite_conv_bn_relu,
          1e-5};
}

}  // namespace fusekit::rewrite
