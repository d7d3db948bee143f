#include "bench/timing.h"

#include <ATen/Parallel.h>

#include <barrier>
#include <chrono>
#include <exception>
#include <thread>

#include "fusekit/interrupted.h"

namespace fusekit::bench {
namespace {

class SteadyClock : public Clock {
 public:
  std::int64_t now() override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace

Clock& real_clock() {
  static SteadyClock clock;
  return clock;
}

Times time_runs(Runner& runner, Clock& clock, int lead_in, int runs) {
  for (int i = 0; i < lead_in; ++i) runner.run();
  Times times;
  times.run_us.resize(static_cast<std::size_t>(runs));
  const std::int64_t first = clock.now();
  std::int64_t last = first;
  std::size_t done = 0;
  try {
    for (; done < times.run_us.size(); ++done) {
      const std::int64_t begin = clock.now();
      runner.run();
      last = clock.now();
      times.run_us[done] = 1e-3 * static_cast<double>(last - begin);
    }
  } catch (const Interrupted&) {
    if (done == 0) throw;
    times.run_us.resize(done);
  }
  times.wall_us = 1e-3 * static_cast<double>(last - first);
  return times;
}

Times time_streams(Streams& streams, Clock& clock, int lead_in, int runs) {
  std::vector<Times> parts(streams.size());
  std::vector<std::exception_ptr> failures(streams.size());
  std::int64_t begin = 0;
  std::barrier start(static_cast<std::ptrdiff_t>(streams.size()), [&]() noexcept { begin = clock.now(); });
  const auto serve = [&](std::size_t index) {
    try {
      at::init_num_threads();  // applies --threads to this thread, which OpenMP does not do by itself
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
