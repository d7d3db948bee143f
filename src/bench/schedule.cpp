#include "bench/schedule.h"

#include <algorithm>
#include <numeric>

namespace fusekit::bench {

std::vector<std::size_t> Schedule::shuffled() {
  std::vector<std::size_t> order(variants_);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), generator_);
  return order;
}

void Schedule::put_new_variant_at(std::vector<std::size_t>::iterator place, std::vector<std::size_t>& order) {
  const auto found =
      std::find_if(order.begin(), order.end(), [&](std::size_t variant) { return !was_first_[variant]; });
  if (found != order.end()) std::iter_swap(place, found);
  was_first_[*place] = true;
}

std::vector<std::size_t> Schedule::next_load_order() {
  if (to_reverse_.empty()) {
    to_reverse_ = shuffled();
    put_new_variant_at(to_reverse_.begin(), to_reverse_);
    put_new_variant_at(to_reverse_.end() - 1, to_reverse_);
    return to_reverse_;
  }
  std::vector<std::size_t> order(to_reverse_.rbegin(), to_reverse_.rend());
  to_reverse_.clear();
  return order;
}

std::vector<std::size_t> Schedule::next_block_order() {
  std::vector<std::size_t> order = shuffled();
  for (std::size_t i = variants_; i-- > 0;) order.push_back(order[i]);
  return order;
}

std::size_t Schedule::next_padding() {
  constexpr std::size_t line = 64;
  return line * std::uniform_int_distribution<std::size_t>(0, (std::size_t{4} << 20) / line - 1)(generator_);
}

}  // namespace fusekit::bench
