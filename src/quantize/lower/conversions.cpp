#include "quantize/lower/operators/int8_operators.h"

namespace fusekit::quantize {

const std::vector<Conversion>& conversions() {
  static const std::vector<Conversion> all = [] {
    std::vector<Conversion> list = {
        convolution(), transposed_convolution(), linear(), batch_norm(), addition(), multiplication(), concatenation(),
    };
    for (const Conversion& activation : activations()) list.push_back(activation);
    for (const Conversion& operation : same_scale()) list.push_back(operation);
    return list;
  }();
  return all;
}

}  // namespace fusekit::quantize
