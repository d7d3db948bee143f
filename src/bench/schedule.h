#pragma once

#include <cstddef>
#include <random>
#include <vector>

namespace fusekit::bench {

/// In which order variants are loaded and run; everything random comes from `generator`.
class Schedule {
 public:
  Schedule(std::size_t variants, std::uint64_t seed) : variants_(variants), generator_(seed), has_led_(variants) {}

  /// A random order in the 1st, 3rd, ... call; its reverse in the 2nd, 4th, ...: what being loaded first costs (0.4 %
  /// on average) then hits every variant alike, instead of widening the interval by chance. In k calls, k different variants
  /// are the first, as far as there are so many.
  std::vector<std::size_t> next_load_order();

  /// A random order and its reverse (A B B A), so that a linear drift within the block cancels.
  std::vector<std::size_t> next_block_order();

  /// A random number of bytes below 4 MiB, in steps of a cache line.
  std::size_t next_padding();

 private:
  std::vector<std::size_t> shuffled();
  /// Swaps one that has not been the first of an order to `place`.
  void bring_new(std::vector<std::size_t>::iterator place, std::vector<std::size_t>& order);

  std::size_t variants_;
  std::mt19937_64 generator_;
  std::vector<bool> has_led_;
  std::vector<std::size_t> to_reverse_;
};

}  // namespace fusekit::bench
