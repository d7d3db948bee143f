// One file in this process, as speed_benchmark_torch does it.
#include <chrono>

#include "bench/memory.h"
#include "bench/statistics.h"
#include "bench/timing.h"
#include "fusekit/bench.h"
#include "fusekit/error.h"

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
  for (double& time : times.run_us) {
    const std::int64_t begin = clock.now();
    runner.run();
    last = clock.now();
    time = 1e-3 * static_cast<double>(last - begin);
  }
  times.wall_us = 1e-3 * static_cast<double>(last - first);
  return times;
}

std::unique_ptr<Runner> load_runner(const Variant& variant, Clock& clock, double& load_us) {
  forget_peak();
  const std::int64_t begin = clock.now();
  std::unique_ptr<Runner> runner = load_runner(variant);
  load_us = 1e-3 * static_cast<double>(clock.now() - begin);
  return runner;
}

OnceReport measure_once(Runner& runner, Clock& clock, const OnceOptions& options,
                        const std::function<void()>& at_main_runs) {
  if (options.iterations < 1)
    throw Error(ErrorKind::usage,
                fmt::format("bench::OnceOptions::iterations = {} leaves nothing to time", options.iterations),
                "give bench::OnceOptions::iterations = 1 or more");
  if (options.warmup < 0)
    throw Error(ErrorKind::usage, fmt::format("bench::OnceOptions::warmup = {} is negative", options.warmup));
  OnceReport report;
  if (options.warmup > 0) report.first_us = time_runs(runner, clock, 0, 1).run_us.front();
  for (int i = 1; i < options.warmup; ++i) runner.run();
  if (at_main_runs) at_main_runs();
  Times times = time_runs(runner, clock, 0, options.iterations);
  report.mean_us = times.wall_us / options.iterations;
  report.run_us = std::move(times.run_us);
  if (options.warmup == 0) report.first_us = report.run_us.front();
  report.peak_rss_kib = peak_resident_kib();
  report.percentiles = percentiles(report.run_us);
  constexpr std::size_t shows_a_level = 3;
  if (report.run_us.size() >= shows_a_level)
    report.unsteady = steady_from(report.run_us).value_or(report.run_us.size());
  return report;
}

}  // namespace fusekit::bench
