#pragma once

#include <cstddef>
#include <random>
#include <vector>

namespace fusekit::bench {

/// The order in which variants are loaded and run, from a seeded random generator.
class Schedule {
 public:
  Schedule(std::size_t variants, std::uint64_t seed) : variants_(variants), generator_(seed), was_first_(variants) {}

  /// A random order in the 1st, 3rd, ... call; its reverse in the 2nd, 4th, ... call. The variant that is loaded first is
  /// slower (by 0.4 % on average); so this affects all variants equally and does not widen the interval by chance. In k
  /// calls, k different variants are the first one, as far as there are so many.
  std::vector<std::size_t> next_load_order();

  /// A random order and its reverse (A B B A), so that a linear drift within the block cancels.
  std::vector<std::size_t> next_block_order();

  /// A random number of bytes below 4 MiB, in steps of a cache line.
  std::size_t next_padding();

 private:
  std::vector<std::size_t> shuffled();
  /// Swaps a variant that has not yet been the first of an order to `place`.
  void put_new_variant_at(std::vector<std::size_t>::iterator place, std::vector<std::size_t>& order);

  std::size_t variants_;
  std::mt19937_64 generator_;
  std::vector<bool> was_first_;
  std::vector<std::size_t> to_reverse_;
};

}  // namespace fusekit::bench
