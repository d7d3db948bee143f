// Several inferences side by side, as a server has them.
#include <ATen/Parallel.h>

#include <barrier>
#include <exception>
#include <thread>

#include "bench/timing.h"

namespace fusekit::bench {

Times time_streams(Streams& streams, Clock& clock, int lead_in, int runs) {
  std::vector<Times> parts(streams.size());
  std::vector<std::exception_ptr> failures(streams.size());
  std::int64_t begin = 0;
  std::barrier start(static_cast<std::ptrdiff_t>(streams.size()), [&]() noexcept { begin = clock.now(); });
  const auto serve = [&](std::size_t index) {
    try {
      at::init_num_threads();  // --threads holds in each thread, which OpenMP would not see to by itself
      time_runs(*streams[index], clock, lead_in, 0);
    } catch (...) {
      failures[index] = std::current_exception();
    }
    start.arrive_and_wait();
    if (failures[index]) return;
    try {
      parts[index] = time_runs(*streams[index], clock, 0, runs);
    } catch (...) {
      failures[index] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t index = 0; index < streams.size(); ++index) threads.emplace_back(serve, index);
  }
  Times all;
  all.wall_us = 1e-3 * static_cast<double>(clock.now() - begin);
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  for (const Times& part : parts) all.run_us.insert(all.run_us.end(), part.run_us.begin(), part.run_us.end());
  return all;
}

}  // namespace fusekit::bench
