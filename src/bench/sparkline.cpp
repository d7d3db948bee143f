#include "bench/sparkline.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fusekit::bench {

std::vector<std::size_t> log_histogram(std::span<const double> values, double low, double high, std::size_t bins) {
  std::vector<std::size_t> counts(bins);
  const double width = std::log(high / low) / static_cast<double>(bins);
  for (double value : values) {
    const double step = std::floor(std::log(value / low) / width);
    ++counts[static_cast<std::size_t>(std::clamp<double>(step, 0, static_cast<double>(bins - 1)))];
  }
  return counts;
}

std::string sparkline(std::span<const std::size_t> counts) {
  constexpr std::array<const char*, 9> eighths = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  std::string text;
  // Rounded up, so that a count of one is visible.
  for (std::size_t count : counts) text += eighths[most == 0 ? 0 : (8 * count + most - 1) / most];
  return text;
}

}  // namespace fusekit::bench
