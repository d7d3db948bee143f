#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <fstream>

#include "bench/fake.h"
#include "bench/statistics.h"
#include "bench/timing.h"
#include "fusekit/bench.h"
#include "fusekit/error.h"
#include "runtime/resident_memory.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit::bench {
namespace {

/// Takes a given time for each run on the fake clock.
class FakeRunner : public Runner {
 public:
  FakeRunner(std::vector<double> times, test::FakeClock& clock) : times_(std::move(times)), clock_(clock) {}
  void run() override { clock_.advance(times_.at(runs++)); }
  std::string run_and_print() override { return {}; }

  std::size_t runs = 0;

 private:
  std::vector<double> times_;
  test::FakeClock& clock_;
};

TEST(MeasureOnce, MeanIsOfTheTimedRunsOnly) {
  test::FakeClock clock;
  FakeRunner runner({1000, 500, 100, 110, 120, 90}, clock);
  std::size_t before_main = 0;
  const OnceReport report =
      measure_once(runner, clock, {.warmup = 2, .iterations = 4}, [&] { before_main = runner.runs; });
  EXPECT_EQ(before_main, 2U);
  EXPECT_EQ(report.run_us, (std::vector<double>{100, 110, 120, 90}));
  EXPECT_DOUBLE_EQ(report.mean_us, 105);
}

TEST(MeasureOnce, ReportsTheFirstRunAlsoWhereItIsWarmUp) {
  test::FakeClock clock;
  FakeRunner warmed({1000, 500, 100, 110}, clock);
  const OnceReport report = measure_once(warmed, clock, {.warmup = 2, .iterations = 2});
  EXPECT_DOUBLE_EQ(report.first_us, 1000);
  EXPECT_GT(report.peak_rss_kib, 1000);  // this process's
  FakeRunner cold({900, 100}, clock);
  EXPECT_DOUBLE_EQ(measure_once(cold, clock, {.warmup = 0, .iterations = 2}).first_us, 900);
}

TEST(MeasureOnce, CountsTheRunsThatWereStillWarmingUp) {
  test::FakeClock clock;
  FakeRunner runner({1000, 500, 100, 101, 100, 99}, clock);
  EXPECT_EQ(measure_once(runner, clock, {.warmup = 0, .iterations = 6}).unsteady, 2U);
  FakeRunner falling({1000, 900, 800, 700}, clock);
  EXPECT_EQ(measure_once(falling, clock, {.warmup = 0, .iterations = 4}).unsteady, 4U);
}

/// Counts its readings.
class CountingClock : public Clock {
 public:
  std::int64_t now() override { return ++readings; }
  std::int64_t readings = 0;
};

TEST(MeasureOnce, OnlyTwoReadingsOfTheClockAreBetweenTwoRuns) {
  CountingClock clock;
  test::FakeClock unused;
  FakeRunner runner(std::vector<double>(100, 0), unused);
  EXPECT_EQ(time_runs(runner, clock, 5, 50).run_us.size(), 50U);
  EXPECT_EQ(clock.readings, 101);  // and one at the begin
  EXPECT_EQ(runner.runs, 55U);
}

/// Timed, so not run with the others: --gtest_also_run_disabled_tests --gtest_filter='*HandWritten*' on an idle machine.
TEST(MeasureOnce, DISABLED_AgreesWithAHandWrittenLoopAndAddsUnderAMicrosecond) {
  const fusekit::test::TemporaryFolder folder;
  const auto module = fusekit::test::make_module(
      "Loop", {{"weight", torch::eye(96)}},
      "def forward(self, x):\n    for i in range(60):\n        x = torch.matmul(x, self.weight)\n    return x\n");
  fusekit::test::save_module(module, folder / "loop.pt");
  Variant variant;
  variant.model = folder / "loop.pt";
  variant.arguments.inputs.dims = {{96, 96}};
  variant.runtime.threads = 1;
  const auto runner = load_runner(variant);
  time_runs(*runner, real_clock(), 100, 0);
  std::vector<double> ours, loop;
  for (int block = 0; block < 20; ++block) {
    const Times times = time_runs(*runner, real_clock(), 5, 50);
    ours.insert(ours.end(), times.run_us.begin(), times.run_us.end());
    for (int i = -5; i < 50; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      runner->run();
      const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
      if (i >= 0) loop.push_back(time.count());
    }
  }
  std::printf("%.2f us, by hand %.2f us\n", median(ours), median(loop));
  EXPECT_NEAR(median(ours) / median(loop), 1, 0.005);
  test::FakeClock unused;
  FakeRunner nothing(std::vector<double>(10000, 0), unused);
  const Times empty = time_runs(nothing, real_clock(), 0, 10000);
  std::printf("%.3f us a run by the tool\n", empty.wall_us / 10000);
  EXPECT_LT(empty.wall_us / 10000, 1);
}

TEST(MeasureOnce, NoRunsIsAnError) {
  test::FakeClock clock;
  FakeRunner runner({1}, clock);
  EXPECT_THROW(measure_once(runner, clock, {.warmup = 0, .iterations = 0}), Error);
  EXPECT_THROW(measure_once(runner, clock, {.warmup = -1, .iterations = 1}), Error);
}

TEST(Runner, ItsLoadIsTimedAndThePeakMemoryIsReset) {
  const fusekit::test::TemporaryFolder folder;
  fusekit::test::save_module(fusekit::test::make_module("Add", {{"weight", torch::ones(1)}},
                                                        "def forward(self, x):\n    return x + self.weight\n"),
                             folder / "add.pt");
  Variant variant;
  variant.model = folder / "add.pt";
  variant.arguments.inputs.dims = {{2}};
  if (!std::ofstream("/proc/self/clear_refs")) GTEST_SKIP() << "the kernel's /proc is read-only";
  { const std::vector<char> large(std::size_t{512} << 20, 1); }
  const std::int64_t before = runtime::peak_resident_kib();
  double load_us = 0;
  const auto runner = load_runner(variant, real_clock(), load_us);
  EXPECT_GT(load_us, 0);
  EXPECT_LT(runtime::peak_resident_kib(), before - (400 << 10));
}

TEST(Runner, RunsWithDrawnAndWithBundledAndWithoutArguments) {
  const fusekit::test::TemporaryFolder folder;
  const auto module = fusekit::test::make_module(
      "Bundled", {{"weight", torch::full({1}, 3.0)}},
      "def forward(self, x):\n    return x * self.weight\n"
      "def get_all_bundled_inputs(self):\n    return [(torch.ones(2),), (torch.full([2], 5),)]\n");
  fusekit::test::save_module(module, folder / "bundled.pt");
  Variant variant;
  variant.model = folder / "bundled.pt";
  variant.arguments.bundled = 1;
  EXPECT_NE(load_runner(variant)->run_and_print().find("15"), std::string::npos);
  variant.arguments.bundled = 2;
  EXPECT_THROW(load_runner(variant), Error);
  variant.arguments.bundled = -1;
  variant.arguments.inputs.dims = {{4}};
  const std::string drawn = load_runner(variant)->run_and_print();
  EXPECT_EQ(drawn.find(" 3\n"), std::string::npos) << "ones times three: " << drawn;
}

}  // namespace
}  // namespace fusekit::bench
