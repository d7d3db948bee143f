#include "ir/marks.h"
#include "rewrite/fold.h"
#include "rewrite/match.h"
#include "rewrite/rules.h"

// y = producer(x, ...)         a convolution, a linear, or a BatchNorm that no convolution could take
// r = activation(y)
// ->
// the same, one group

namespace fusekit::rewrite {
namespace {

Decision decide_group(const Site& site, Facts&) {
  if (Reason reason = activation_stands_apart(site)) return reason;
  return Rewrite{.apply = [nodes = site.nodes](Facts&) { return nodes; }, .as_found = ir::was_in_place(site.back())};
}

Decision decide_behind_batch_norm(const Site& site, Facts& facts) {
  if (Reason reason = activation_stands_apart(site)) return reason;
  if (Reason reason = batch_norm_is_not_constant(site.front(), facts)) return reason;
  return decide_group(site, facts);
}

std::string summary(const char* producer, const ir::ActivationKind& kind, const char* which = "") {
  return fmt::format("{0} + {1}{2}: the {1} in place, one group for a target", producer, kind.name, which);
}

}  // namespace

Rule conv_activation(const ir::ActivationKind& kind, const std::string& name) {
  return {.name = "conv+" + name,
          .summary = summary("Conv{1,2,3}d", kind),
          .pattern = {convolution(), activation(kind)},
          .decide = decide_group};
}

Rule linear_activation(const ir::ActivationKind& kind, const std::string& name) {
  return {.name = "linear+" + name,
          .summary = summary("Linear", kind),
          .pattern = {linear(), activation(kind)},
          .decide = decide_group};
}

Rule bn_activation(const ir::ActivationKind& kind, const std::string& name) {
  return {.name = "bn+" + name,
          .summary = summary("BatchNorm{1,2,3}d", kind, " that no convolution can take"),
          .pattern = {batch_norm(), activation(kind)},
          .decide = decide_behind_batch_norm};
}

}  // namespace fusekit::rewrite
