#include "rewrite/fold.h"
#include "rewrite/match.h"

// y = linear(x, W, b)          x: (N, in_features)
// z = batch_norm(y, gamma, beta, mean, var, training=False)
// ->
// z = linear(x, W', b')

namespace fusekit::rewrite {
namespace {

WhyNot why_not_linear_bn(const Site& site, Context& context) {
  Node* linear = site.nodes[0];
  Node* batch_norm = site.nodes[1];
  if (const WhyNot reason = stands_in_several_blocks(site)) return reason;
  if (const WhyNot reason = something_else_reads(site, 0)) return reason;
  if (const WhyNot reason = batch_norm_is_not_constant(batch_norm, context)) return reason;
  if (const WhyNot reason = weight_is_not_constant(linear, context)) return reason;
  if (const WhyNot reason = linear_is_not_two_dimensional(linear, batch_norm, context)) return reason;
  return weight_cannot_take(linear, batch_norm, context);
}

void rewrite_linear_bn(const Site& site, Context& context) { fold_batch_norm(site, context); }

}  // namespace

template <>
Rule rule<"linear+bn">() {
  return {"linear+bn",
          "Linear + BatchNorm1d on 2-D data: the BatchNorm is folded into the linear's weight and bias",
          {linear, batch_norm},
          why_not_linear_bn,
          rewrite_linear_bn,
          1e-5};
}

}  // namespace fusekit::rewrite
