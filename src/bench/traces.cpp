#include "bench/traces.h"

#include <cmath>

#include "bench/statistics.h"

namespace fusekit::bench {

std::vector<double> runs_of(const ProcessTrace& trace, std::size_t variant) {
  std::vector<double> runs;
  for (const Block& block : trace.blocks)
    for (std::size_t i = 0; i < block.slots.size(); ++i)
      if (block.slots[i].variant == variant)
        runs.insert(runs.end(), block.times[i].run_us.begin(), block.times[i].run_us.end());
  return runs;
}

std::vector<double> runs_of(const std::vector<ProcessTrace>& traces, std::size_t variant) {
  std::vector<double> all;
  for (const ProcessTrace& trace : traces) {
    const std::vector<double> runs = runs_of(trace, variant);
    all.insert(all.end(), runs.begin(), runs.end());
  }
  return all;
}

std::vector<double> log_costs(const ProcessTrace& trace, std::size_t variant, bool by_wall) {
  std::vector<double> costs;
  for (const Block& block : trace.blocks) {
    std::vector<double> logs;
    for (std::size_t i = 0; i < block.slots.size(); ++i) {
      if (block.slots[i].variant != variant) continue;
      const Times& times = block.times[i];
      const double cost = by_wall ? times.wall_us / static_cast<double>(times.run_us.size()) : median(times.run_us);
      logs.push_back(std::log(cost));
    }
    if (!logs.empty()) costs.push_back(mean(logs));
  }
  return costs;
}

}  // namespace fusekit::bench
