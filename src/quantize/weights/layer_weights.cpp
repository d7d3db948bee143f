#include "quantize/weights/layer_weights.h"

#include <map>
#include <memory>

namespace fusekit::quantize {

WeightQuantizer nearest_weights(const WeightScheme& scheme) {
  // By the float weights' place in memory, which the Program keeps alive: the same layer in each network that is built.
  auto done = std::make_shared<std::map<std::pair<void*, std::vector<std::int64_t>>, at::Tensor>>();
  return [scheme, done](int, const at::Tensor& weight, const at::Tensor& bias, std::optional<std::int64_t> axis) {
    at::Tensor& quantized = (*done)[{weight.data_ptr(), weight.sizes().vec()}];
    if (!quantized.defined()) {
      WeightScheme own = scheme;
      own.per_channel = own.per_channel && axis.has_value();
      quantized = quantize_weight(weight, own, axis.value_or(0));
    }
    return LayerWeights{quantized, bias.defined() ? bias.to(at::kFloat) : bias};
  };
}

}  // namespace fusekit::quantize
