#include "quantize/qconfig.h"

#include <algorithm>
#include <vector>

namespace fusekit::quantize {
namespace {

constexpr WeightScheme kPerTensor{false, kSigned8, WeightScale::half_of_steps};
constexpr WeightScheme kPerChannel{true, kSigned8, WeightScale::half_of_steps};
constexpr WeightScheme kPerChannelUnclipped{true, kSigned8Narrow, WeightScale::highest_level};

const std::vector<QConfig>& all() {
  static const std::vector<QConfig> configs{
      {Qconfig::qnnpack, ObserverKind::histogram, kUnsigned8, kPerTensor},
      {Qconfig::x86, ObserverKind::histogram, kUnsigned8Reduced, kPerChannel},
      {Qconfig::fbgemm, ObserverKind::histogram, kUnsigned8Reduced, kPerChannel},
      {Qconfig::full, ObserverKind::squared_error, kUnsigned8, kPerChannelUnclipped},
      {Qconfig::reduced, ObserverKind::squared_error, kUnsigned8Reduced, kPerChannelUnclipped},
  };
  return configs;
}

}  // namespace

QConfig qconfig(Qconfig name) {
  return *std::find_if(all().begin(), all().end(), [&](const QConfig& config) { return config.name == name; });
}

}  // namespace fusekit::quantize
