#pragma once

#include <span>
#include <string>
#include <vector>

namespace fusekit::bench {

/// How many of `values` lie in each of `bins` equal steps of the logarithm between `low` and `high`; what lies outside
/// is counted in the first or last one. 0 < low < high.
std::vector<std::size_t> log_histogram(std::span<const double> values, double low, double high, std::size_t bins);

/// One character a count, from a blank for none to a full block for the largest.
std::string bars(std::span<const std::size_t> counts);

}  // namespace fusekit::bench
