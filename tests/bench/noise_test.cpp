#include "bench/noise.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>

#include "bench/fake.h"

namespace fusekit::bench {
namespace {

using test::warns_of;

TEST(BenchNoise, WarnsOfEachDisturbance) {
  Report report;
  report.environment.cpus = 2;
  report.seconds = 10;
  report.noise.measured_cpu_seconds = 10;
  add_noise_warnings(report);
  EXPECT_TRUE(report.warnings.empty());
  report.noise.other_cpus = 1;
  report.noise.steal = 0.05;
  report.noise.throttled_seconds = 2;
  report.noise.clock_change = -0.2;
  report.noise.involuntary_switches = 5000;
  report.noise.waited_seconds = 0.7;
  report.noise.major_faults = 5000;
  report.environment.governor = "powersave";
  report.outcomes.resize(2);
  report.outcomes[0].threads = 2;
  report.outcomes[1].threads = 2;
  report.outcomes[1].streams = 2;
  add_noise_warnings(report);
  EXPECT_EQ(report.warnings.size(), 8U);
  for (const char* part :
       {"kept 1.0 of 2 CPUs busy", "5.0 % of the time (steal)", "stopped it for 2 s", "changed by -20 %",
        "waited 6.5 % of its time for a CPU that did something else (500 switches a second)", "5000 pages",
        "asks for 4 threads where 2 CPUs", "governor is 'powersave'"})
    EXPECT_TRUE(warns_of(report, part)) << part;
}

TEST(BenchNoise, SwitchesThatCostNoTimeAreNoLoss) {
  Report report;
  report.environment.cpus = 1;
  report.noise.measured_cpu_seconds = 10;
  report.noise.involuntary_switches = 100000;
  report.noise.waited_seconds = 0.01;
  add_noise_warnings(report);
  EXPECT_TRUE(report.warnings.empty());
}

/// A process that works on one CPU does not disturb another that may only use the others.
TEST(BenchNoise, CountsOnlyTheCpusThatMayBeUsed) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &before)) cpus.push_back(cpu);
  if (cpus.size() < 2) GTEST_SKIP() << "one CPU";
  const auto only = [](int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
  };
  const pid_t busy = fork();
  if (busy == 0) {
    only(cpus[1]);
    for (;;) continue;
  }
  only(cpus[0]);
  const NoiseMeter meter;
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t cpu_before = std::clock();
  while (std::chrono::steady_clock::now() < begin + std::chrono::milliseconds(800)) continue;
  const Noise noise = meter.read({}, {});
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const double ours = static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC / wall;
  kill(busy, SIGKILL);
  waitpid(busy, nullptr, 0);
  sched_setaffinity(0, sizeof before, &before);
  EXPECT_LE(noise.other_cpus + ours, 1.2) << "more than one CPU can do";
}

TEST(BenchNoise, WarnsOfSpinningThreadsBesideOtherPrograms) {
  Report report;
  report.environment.cpus = 4;
  report.outcomes.resize(1);
  report.outcomes[0].label = "a.pt";
  report.outcomes[0].engine = "auto";
  report.outcomes[0].threads = 1;
  report.noise.other_cpus = 1;
  add_noise_warnings(report);
  EXPECT_FALSE(warns_of(report, "spinning"));
  report.outcomes[0].threads = 0;  // LibTorch's default: all of them
  add_noise_warnings(report);
  EXPECT_TRUE(warns_of(report, "a.pt runs on 4 threads beside other programs: LibTorch's threads wait by spinning"));
  Report alone = report;
  alone.warnings.clear();
  alone.noise.other_cpus = 0;
  add_noise_warnings(alone);
  EXPECT_TRUE(alone.warnings.empty());
}

TEST(BenchNoise, WarnsOfRunsNearTheClocksResolution) {
  Report report;
  report.outcomes.resize(1);
  report.outcomes[0].label = "a.pt";
  report.outcomes[0].engine = "auto";
  report.outcomes[0].median_us = 4.5;
  report.environment.timer_resolution_ns = 30;
  report.environment.timer_overhead_ns = 50;
  add_noise_warnings(report);
  EXPECT_TRUE(report.warnings.empty());
  report.outcomes[0].median_us = 3.5;
  add_noise_warnings(report);
  EXPECT_TRUE(warns_of(report, "a.pt: a run of 3.5 us is close to the resolution of the clock (30 ns resolution"));
}

TEST(BenchNoise, CountsFaultsAndSwitchesOnlyInTheTimedPart) {
  const Report report = test::run({.run_us = {20000, 20000}}, {.processes = 6}, 1);
  std::size_t runs = 0;
  for (const ProcessTrace& trace : report.traces) {
    std::size_t here = 0;
    for (const Block& block : trace.blocks)
      for (const Slot& slot : block.slots) here += static_cast<std::size_t>(slot.lead_in + slot.runs);
    EXPECT_EQ(trace.measured.major_faults, static_cast<std::int64_t>(here));  // without the 1000 of the loads
    EXPECT_GT(trace.usage.major_faults, trace.measured.major_faults + 1000);
    EXPECT_NEAR(trace.measured.cpu_seconds, 0.02 * static_cast<double>(here), 0.02 * 0.05 * static_cast<double>(here));
    runs += here;
  }
  EXPECT_EQ(report.noise.major_faults, static_cast<std::int64_t>(runs));
  EXPECT_EQ(report.noise.involuntary_switches, static_cast<std::int64_t>(runs));
  EXPECT_LT(report.noise.measured_cpu_seconds, report.noise.cpu_seconds);
  EXPECT_FALSE(test::warns_of(report, "took the CPU from it"));  // 50 a second
  EXPECT_FALSE(test::warns_of(report, "read from disk"));
}

}  // namespace
}  // namespace fusekit::bench
