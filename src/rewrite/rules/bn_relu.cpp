#include "rewrite/fold.h"
#include "rewrite/match.h"

// y = batch_norm(x, gamma, beta, mean, var, training=False)
// r = relu(y)
// ->
// y = batch_norm(x, gamma, beta, mean, var, training=False)
// r = relu_(y)                 one group

namespace fusekit::rewrite {
namespace {

WhyNot why_not_bn_relu(const Site& site, Context& context) {
  if (const WhyNot reason = relu_cannot_work_in_place(site, context)) return reason;
  return batch_norm_is_not_constant(site.nodes[0], context);
}

void rewrite_bn_relu(const Site& site, Context& context) {
  context.as_found = !group_with_relu(site, "bn+relu", context);
}

}  // namespace

template <>
Rule rule<"bn+relu">() {
  return {"bn+relu",
          "BatchNorm{1,2,3}d + ReLU that no convolution can take: the ReLU in place, one group for a target",
          {batch_norm, relu},
          why_not_bn_relu,
          rewrite_bn_relu};
}

}  // namespace fusekit::rewrite
