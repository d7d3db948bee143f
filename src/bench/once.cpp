#include "bench/statistics.h"
#include "bench/timing.h"
#include "fusekit/bench_once.h"
#include "fusekit/error.h"
#include "runtime/resident_memory.h"

namespace fusekit::bench {

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
  report.interrupted = times.run_us.size() < static_cast<std::size_t>(options.iterations);
  report.mean_us = times.wall_us / static_cast<double>(times.run_us.size());
  report.run_us = std::move(times.run_us);
  if (options.warmup == 0) report.first_us = report.run_us.front();
  report.peak_rss_kib = runtime::peak_resident_kib();
  report.percentiles = percentiles(report.run_us);
  constexpr std::size_t min_for_steady_state = 3;
  if (report.run_us.size() >= min_for_steady_state)
    report.unsteady = steady_state_start(report.run_us).value_or(report.run_us.size());
  return report;
}

}  // namespace fusekit::bench
