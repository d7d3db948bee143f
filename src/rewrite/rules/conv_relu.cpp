#include "rewrite/fold.h"
#include "rewrite/match.h"

// y = convolution(x, W, b)
// r = relu(y)
// ->
// y = convolution(x, W, b)
// r = relu_(y)                 one group

namespace fusekit::rewrite {
namespace {

void rewrite_conv_relu(const Site& site, Context& context) {
  context.as_found = !group_with_relu(site, "conv+relu", context);
}

}  // namespace

template <>
Rule rule<"conv+relu">() {
  return {"conv+relu",
          "Conv{1,2,3}d + ReLU: the ReLU in place, one group for a target",
          {convolution, relu},
          relu_cannot_work_in_place,
          rewrite_conv_relu};
}

}  // namespace fusekit::rewrite
