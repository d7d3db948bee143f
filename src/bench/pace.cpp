#include "bench/pace.h"

#include <algorithm>
#include <cmath>

namespace fusekit::bench {

double worthwhile(const Pace& pace) { return pace.start + std::max(0.5 * pace.start, 4 * pace.block); }

std::size_t processes_for(double seconds, double left, std::size_t done, const Pace& pace) {
  constexpr std::size_t most = 16;
  constexpr std::size_t least = 3;  // an interval over processes needs them
  const auto within = [](double time, double each) {
    return each > 0 ? static_cast<std::size_t>(std::clamp(std::floor(time / each), 0.0, double{most})) : most;
  };
  const std::size_t worth = within(seconds, worthwhile(pace)) / 2 * 2;
  const std::size_t possible = done + within(left, pace.start + pace.block);
  return std::max({std::min(std::max<std::size_t>(worth, kLeastPlanned), possible), least, done});
}

}  // namespace fusekit::bench
