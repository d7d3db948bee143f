#include "bench/external_program.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>

#include "bench/fake.h"

namespace fusekit::bench {
namespace {

std::string message_of_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

std::string failure_of(const std::string& command, double seconds = 10) {
  return message_of_error([&] { run_external_program(command, seconds, {}); });
}

TEST(ExternalProgram, ItsNumbersAreTimesAndOtherLinesAreIgnored) {
  EXPECT_EQ(run_external_program("echo loading 3 models; printf '1.5\\n 2e3 \\r\\n7'", 10, {}),
            (std::vector<double>{1.5, 2000, 7}));
}

TEST(ExternalProgram, ItsErrorsAreNamed) {
  EXPECT_EQ(failure_of("echo 5; echo no such model >&2; exit 3"),
            "'echo 5; echo no such model >&2; exit 3' ended with exit code 3: no such model");
  EXPECT_EQ(failure_of("kill -9 $$"), "'kill -9 $$' was ended by signal 9 (Killed)");
  EXPECT_EQ(failure_of("echo done"), "'echo done' printed no times");
  EXPECT_EQ(failure_of("echo 5; echo -1"), "'echo 5; echo -1' printed '-1', which is no time");
  EXPECT_NE(failure_of("echo nan").find("which is no time"), std::string::npos);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(ExternalProgram, OneThatHangsIsKilledWithItsChildren) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(failure_of("echo 5; sleep 100 & sleep 100", 0.3),
            "'echo 5; sleep 100 & sleep 100' was not done after 0.3 s");
  EXPECT_EQ(message_of_error([&] { run_external_program("sleep 100", 100, [] { return true; }); }), "interrupted");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(50));
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
}

std::vector<Variant> model_and_program(const std::string& command) {
  auto variants = test::variants(2);
  variants[1].command = command;
  return variants;
}

TEST(ExternalProgram, IsFirstInEverySecondRoundAndItsWarmUpIsLeftOut) {
  test::FakeClock clock;
  test::FakeLauncher launcher({.run_us = {20000, 10000}}, clock, 1);
  const Report report = measure(model_and_program("peer"), {.processes = 6}, launcher, clock);
  std::string order;
  for (const test::Call& call : launcher.calls)
    if (call.what == 's' || call.what == 'c') order += call.what;
  EXPECT_EQ(order, "cssccssccssc");
  EXPECT_NEAR(report.ratios.at(0).ratio, 2, 0.05);
  EXPECT_EQ(report.ratios[0].process_log_ratios.size(), 6U);
  EXPECT_EQ(report.outcomes.at(1).runs, 6U * 38);
  EXPECT_LT(report.outcomes[1].percentiles.max, 15000);
  EXPECT_LE(clock.seconds(), 22);  // the models' processes leave enough time for it
}

TEST(ExternalProgram, NeedsThreeProcessesAndAModel) {
  test::FakeClock clock;
  test::FakeLauncher launcher({.run_us = {20000, 10000}}, clock, 1);
  EXPECT_NE(
      message_of_error([&] { measure(model_and_program("peer"), {.processes = 2}, launcher, clock); }).find("three"),
      std::string::npos);
  auto variants = model_and_program("peer");
  std::swap(variants[0], variants[1]);
  EXPECT_THROW(measure(variants, {}, launcher, clock), Error);
  EXPECT_EQ(message_of_error([&] { measure(model_and_program("hangs"), {}, launcher, clock); }),
            "'hangs' was not done after 20 s");
  EXPECT_EQ(launcher.alive, 0U);
}

}  // namespace
}  // namespace fusekit::bench
