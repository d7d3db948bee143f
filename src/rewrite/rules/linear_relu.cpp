#include "rewrite/fold.h"
#include "rewrite/match.h"

// y = linear(x, W, b)
// r = relu(y)
// ->
// y = linear(x, W, b)
// r = relu_(y)                 one group

namespace fusekit::rewrite {
namespace {

void rewrite_linear_relu(const Site& site, Context& context) {
  context.as_found = !group_with_relu(site, "linear+relu", context);
}

}  // namespace

template <>
Rule rule<"linear+relu">() {
  return {"linear+relu",
          "Linear + ReLU: the ReLU in place, one group for a target",
          {linear, relu},
          relu_cannot_work_in_place,
          rewrite_linear_relu};
}

}  // namespace fusekit::rewrite
