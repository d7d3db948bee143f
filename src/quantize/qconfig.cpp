#include "quantize/qconfig.h"

#include <fmt/ranges.h>

#include "fusekit/error.h"

namespace fusekit::quantize {
namespace {

constexpr WeightScheme kPerTensor{false, kSigned8, WeightScale::half_of_steps};
constexpr WeightScheme kPerChannel{true, kSigned8, WeightScale::half_of_steps};
constexpr WeightScheme kPerChannelUnclipped{true, kSigned8Narrow, WeightScale::highest_level};

const std::vector<QConfig>& all() {
  static const std::vector<QConfig> configs{
      {"qnnpack", ObserverKind::histogram, kUnsigned8, kPerTensor},
      {"x86", ObserverKind::histogram, kUnsigned8Reduced, kPerChannel},
      {"fbgemm", ObserverKind::histogram, kUnsigned8Reduced, kPerChannel},
      {"full", ObserverKind::squared_error, kUnsigned8, kPerChannelUnclipped},
      {"reduced", ObserverKind::squared_error, kUnsigned8Reduced, kPerChannelUnclipped},
  };
  return configs;
}

}  // namespace

QConfig qconfig(const std::string& name) {
  for (const QConfig& config : all()) {
    if (config.name == name) return config;
  }
  throw Error(ErrorKind::usage, "there is no qconfig '" + name + "'",
              fmt::format("one of {}", fmt::join(qconfig_names(), ", ")));
}

const std::vector<std::string>& qconfig_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const QConfig& config : all()) result.push_back(config.name);
    return result;
  }();
  return names;
}

}  // namespace fusekit::quantize
