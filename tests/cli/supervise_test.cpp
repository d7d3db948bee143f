#include "cli/supervise.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "cli/wait_policy.h"
#include "runtime/unfinished_files.h"
#include "support/module.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit::cli {
namespace {

/// supervise's exit code and what it wrote to stderr. `work` has to end its process itself.
std::pair<int, std::string> supervised(const std::function<int()>& work) {
  testing::internal::CaptureStderr();
  const int code = supervise("fusekit test", work);
  return {code, testing::internal::GetCapturedStderr()};
}

TEST(Supervise, GivesTheChildsExitCode) {
  EXPECT_EQ(supervised([]() -> int { _exit(1); }), std::pair(1, std::string()));
  EXPECT_EQ(supervised([]() -> int { _exit(0); }), std::pair(0, std::string()));
}

TEST(Supervise, ACrashIsAMessage) {
  const auto crash = [](int signal) {
    return supervised([signal]() -> int {
      std::signal(signal, SIG_DFL);  // a sanitizer would write a report of its own
      std::raise(signal);
      _exit(0);
    });
  };
  EXPECT_EQ(crash(SIGSEGV), std::pair(2, std::string("error: fusekit test was ended by signal 11 (Segmentation fault)\n"
                                                     "hint: LibTorch crashed: report it with the file\n")));
  EXPECT_EQ(crash(SIGKILL).second,
            "error: fusekit test was ended by signal 9 (Killed)\n"
            "hint: most likely the memory ran out\n");
  EXPECT_EQ(crash(SIGPIPE), std::pair(2, std::string()));
}

TEST(Supervise, NothingUnfinishedIsLeftHoweverTheChildEnds) {
  const test::TemporaryFolder folder;
  for (const int signal : {SIGKILL, SIGHUP, SIGQUIT, SIGSEGV}) {
    const auto hidden = folder / ".fusekit-0123abcd";
    supervised([&]() -> int {
      std::signal(signal, SIG_DFL);
      test::write_bytes(hidden, "half");
      runtime::remember_unfinished(hidden);
      std::raise(signal);
      _exit(0);
    });
    EXPECT_FALSE(std::filesystem::exists(hidden)) << signal;
  }
}

TEST(Supervise, SignalsAreForwarded) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    // One that is ignored stays ignored, and who starts the tests may ignore it: nohup, a shell's background job, CI.
    const auto before = std::signal(signal, SIG_DFL);
    const auto [code, said] = supervised([signal]() -> int {
      kill(getppid(), signal);
      for (;;) pause();
    });
    EXPECT_EQ(code, 128 + signal);
    EXPECT_EQ(said, "error: interrupted\nhint: no unfinished file is left behind\n");
    std::signal(signal, before);
  }
}

TEST(Supervise, AnIgnoredSignalStaysIgnored) {
  const auto before = std::signal(SIGHUP, SIG_IGN);
  const auto result = supervised([]() -> int {
    kill(getppid(), SIGHUP);
    kill(getpid(), SIGHUP);
    _exit(1);
  });
  const auto not_forwarded = supervised([]() -> int {
    std::signal(SIGHUP, SIG_DFL);  // one that is forwarded ends it
    kill(getppid(), SIGHUP);
    usleep(100'000);
    _exit(1);
  });
  std::signal(SIGHUP, before);
  EXPECT_EQ(result, std::pair(1, std::string()));
  EXPECT_EQ(not_forwarded, std::pair(1, std::string()));
}

TEST(Supervise, TheChildDiesWithItsSupervisor) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t supervisor = fork();
  if (supervisor == 0) {
    supervise("fusekit test", [&]() -> int {
      if (::write(ends[1], "x", 1) != 1) _exit(1);
      for (;;) pause();
    });
    _exit(0);
  }
  close(ends[1]);
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  kill(supervisor, SIGKILL);
  waitpid(supervisor, nullptr, 0);
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);  // the end of the pipe: nobody holds it open any more
  close(ends[0]);
}

TEST(Supervise, CanBeTurnedOff) {
  setenv("FUSEKIT_NO_SUPERVISOR", "1", 1);
  const pid_t self = getpid();
  EXPECT_EQ(supervise("fusekit test", [self] { return getpid() == self ? 0 : 1; }), 0);
  unsetenv("FUSEKIT_NO_SUPERVISOR");
}

TEST(Supervise, ANetworkThatNeverEndsCanBeInterrupted) {
  const test::TemporaryFolder folder;
  test::save_module(
      test::make_module("Net", {},
                        "def forward(self, x):\n    while bool(x.numel() > 0):\n        x = x + 1\n    return x\n"),
      folder / "net.pt");
  const std::string file = (folder / "net.pt").string();
  const auto result = test::run_command(
      {"timeout", "-s", "INT", "--foreground", "2", FUSEKIT_PROGRAM, "verify", file, file, "--input_dims", "1,2"});
  EXPECT_EQ(result.err, "error: interrupted\nhint: no unfinished file is left behind\n");
  EXPECT_EQ(result.out, "");
}

TEST(Supervise, ANetworkThatNeverEndsIsEnded) {
  const test::TemporaryFolder folder;
  const auto limited = [&folder](const std::string& source) {
    test::save_module(test::make_module("Net", {}, source), folder / "net.pt");
    const std::string file = (folder / "net.pt").string();
    return test::run_fusekit({"verify", file, file, "--input_dims", "1,2", "--run-limit", "0.5"});
  };
  // One that asks for memory is stopped, one that does not ends its process.
  const auto asks = limited("def forward(self, x):\n    while bool(x.numel() > 0):\n        x = x + 1\n    return x\n");
  EXPECT_EQ(asks.exit_code, 2);
  EXPECT_TRUE(test::has(asks.err, "net.pt takes longer than 0.5 s\nhint: give --run-limit")) << asks.err;
  const auto never = limited("def forward(self, x):\n    n = 0\n    while n >= 0:\n        n = 1\n    return x * n\n");
  EXPECT_EQ(never.exit_code, 2);
  EXPECT_TRUE(test::has(never.err, "takes longer than 0.5 s and does not come back\nhint: give --run-limit"))
      << never.err;
}

/// The restarted program: its exit code shows its environment.
TEST(WaitPolicy, DISABLED_TheRestartedProgram) {
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  const char* supervisor = std::getenv("FUSEKIT_NO_SUPERVISOR");
  _exit(policy != nullptr && supervisor == nullptr ? 10 + (std::string(policy) == "passive") : 20);
}

TEST(WaitPolicy, ASupervisedProgramRestartsWithPassiveWait) {
  const auto code = [](const char* policy) {
    return supervised([policy]() -> int {
             unsetenv("OMP_WAIT_POLICY");
             if (policy != nullptr) setenv("OMP_WAIT_POLICY", policy, 1);
             std::string program = "fusekit_tests";
             std::string filter = "--gtest_filter=WaitPolicy.DISABLED_TheRestartedProgram";
             std::string disabled = "--gtest_also_run_disabled_tests";
             std::array<char*, 4> arguments = {program.data(), filter.data(), disabled.data(), nullptr};
             restart_with_passive_wait(arguments.data());
             _exit(30);
           })
        .first;
  };
  EXPECT_EQ(code(nullptr), 11);
  EXPECT_EQ(code("active"), 10);  // the user's setting is kept
}

TEST(WaitPolicy, IsLeftAsTheUserSetIt) {
  const auto with = [](const char* name, const char* value) {
    return supervised([name, value]() -> int {
             for (const char* variable :
                  {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "FUSEKIT_NO_SUPERVISOR", "OMP_NUM_THREADS"})
               unsetenv(variable);
             setenv(name, value, 1);
             _exit(should_use_passive_wait() ? 1 : 0);
           })
        .first;
  };
  EXPECT_EQ(with("OMP_WAIT_POLICY", "active"), 0);
  EXPECT_EQ(with("GOMP_SPINCOUNT", "5"), 0);
  EXPECT_EQ(with("OMP_NUM_THREADS", "1"), 0);
  double load = 0;
  getloadavg(&load, 1);
  if (load > 1.5) {
    EXPECT_EQ(with("OMP_NUM_THREADS", "2"), 1);
  } else if (load < 0.5) {
    EXPECT_EQ(with("OMP_NUM_THREADS", "2"), 0);
  }
}

}  // namespace
}  // namespace fusekit::cli
