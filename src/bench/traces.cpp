#include "bench/traces.h"

#include <algorithm>
#include <cmath>

#include "bench/statistics.h"

namespace fusekit::bench {
namespace {

/// The logarithms of a variant's runs in a block.
std::vector<double> log_runs(const Block& block, std::size_t variant, bool by_wall) {
  constexpr std::size_t most = 16;  // per slot; a block then has at most 1024 pairs
  std::vector<double> logs;
  for (std::size_t i = 0; i < block.slots.size(); ++i) {
    if (block.slots[i].variant != variant) continue;
    const Times& times = block.times[i];
    std::vector<double> runs = times.run_us;
    if (by_wall) runs = {times.wall_us / static_cast<double>(runs.size())};
    if (runs.size() > most) {
      std::sort(runs.begin(), runs.end());
      for (std::size_t k = 0; k < most; ++k) runs[k] = runs[(2 * k + 1) * runs.size() / (2 * most)];
      runs.resize(most);
    }
    for (const double us : runs) logs.push_back(std::log(us));
  }
  return logs;
}

}  // namespace

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
  for (const Block& block : trace.blocks)
    for (std::size_t i = 0; i < block.slots.size(); ++i) {
      if (block.slots[i].variant != variant) continue;
      const Times& times = block.times[i];
      costs.push_back(
          std::log(by_wall ? times.wall_us / static_cast<double>(times.run_us.size()) : median(times.run_us)));
    }
  return costs;
}

std::vector<std::vector<double>> pair_log_ratios(const ProcessTrace& trace, const VariantPair& pair) {
  std::vector<std::vector<double>> blocks;
  for (const Block& block : trace.blocks) {
    const std::vector<double> of_a = log_runs(block, pair.a, pair.a_by_wall);
    const std::vector<double> of_b = log_runs(block, pair.b, pair.b_by_wall);
    if (of_a.empty() || of_b.empty()) continue;
    std::vector<double>& ratios = blocks.emplace_back();
    ratios.reserve(of_a.size() * of_b.size());
    for (const double a : of_a)
      for (const double b : of_b) ratios.push_back(a - b);
  }
  return blocks;
}

}  // namespace fusekit::bench
