#pragma once

#include <span>
#include <string>
#include <vector>

namespace fusekit::bench {

/// A histogram with `bins` bins of equal width on a logarithmic axis from `low` to `high`. Values outside are counted in
/// the first or last bin. 0 < low < high.
std::vector<std::size_t> log_histogram(std::span<const double> values, double low, double high, std::size_t bins);

/// One character per count, from a blank for 0 to a full block for the largest count.
std::string sparkline(std::span<const std::size_t> counts);

}  // namespace fusekit::bench
