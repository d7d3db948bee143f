#include "bench/round_cost.h"

#include <algorithm>
#include <cmath>

namespace fusekit::bench {

double min_useful_seconds(const RoundCost& cost) { return cost.startup + std::max(0.5 * cost.startup, 4 * cost.block); }

std::size_t plan_processes(double seconds, double left, std::size_t done, const RoundCost& cost) {
  constexpr std::size_t most = 16;
  constexpr std::size_t least = 3;  // the minimum for an interval over processes
  const auto rounds_in = [](double time, double each) {
    return each > 0 ? static_cast<std::size_t>(std::clamp(std::floor(time / each), 0.0, double{most})) : most;
  };
  const std::size_t useful = rounds_in(seconds, min_useful_seconds(cost)) / 2 * 2;
  const std::size_t possible = done + rounds_in(left, cost.startup + cost.block);
  return std::max({std::min(std::max<std::size_t>(useful, kMinPlanned), possible), least, done});
}

}  // namespace fusekit::bench
