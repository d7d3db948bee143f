#include "rewrite/fold.h"
#include "rewrite/match.h"
#include "rewrite/rules.h"

// y = convolution(x, W, b)
// z = batch_norm(y, gamma, beta, mean, var, training=False)
// r = activation(z)
// ->
// y = convolution(x, W', b')
// r = activation(y)            one group

namespace fusekit::rewrite {
namespace {

Decision decide_conv_bn_activation(const Site& site, Facts& facts) {
  if (Reason reason = activation_stands_apart(site)) return reason;
  const auto found = find_fold(site, facts);
  if (const auto* reason = std::get_if<Reason>(&found)) return *reason;
  const auto& fold = std::get<BatchNormFold>(found);
  return Rewrite{.apply =
                     [fold, activation = site.back()](Facts& facts) {
                       return std::vector<Node*>{fold.apply(facts), activation};
                     },
                 .note = fold.note()};
}

}  // namespace

Rule conv_bn_activation(const ir::ActivationKind& kind, const std::string& name) {
  return {
      .name = "conv+bn+" + name,
      .summary = fmt::format(
          "Conv{{1,2,3}}d + BatchNorm + {0}: folded as conv+bn, the {0} in place, one group for a target", kind.name),
      .pattern = {convolution(), batch_norm(), activation(kind)},
      .decide = decide_conv_bn_activation,
      .tolerance = 1e-5};
}

}  // namespace fusekit::rewrite
