// Real worker processes, with and without failures.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "fusekit/bench.h"
#include "fusekit/error.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit::bench {
namespace {

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

std::string start_message(std::vector<std::string> command) {
  return message_of([&] { process_launcher(std::move(command))->start({}, {}); });
}

bool no_child_left() { return waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

TEST(ProcessLauncher, SaysHowAWorkerEnded) {
  EXPECT_EQ(start_message({"/bin/sh", "-c", "exit 3"}), "a worker process ended with exit code 3");
  EXPECT_EQ(start_message({"/bin/sh", "-c", "kill -9 $$"}), "a worker process was ended by signal 9 (Killed)");
  EXPECT_EQ(start_message({"/bin/sh", "-c", "echo bad news >&2; exit 1"}),
            "a worker process ended with exit code 1: bad news");
  EXPECT_EQ(start_message({"/bin/sh", "-c", "read x; echo hello; read y"}),
            "a worker process answered with something else than JSON");
  EXPECT_NE(start_message({"/no/such/program"}).find("/no/such/program"), std::string::npos);
  EXPECT_TRUE(no_child_left());
}

TEST(ProcessLauncher, AnEnvironmentAffectsOnlyTheWorker) {
  ASSERT_EQ(setenv("FUSEKIT_TEST_A", "ours", 1), 0);
  const auto said = [](const std::vector<std::string>& environment) {
    return message_of([&] {
      process_launcher({"/bin/sh", "-c", "echo $FUSEKIT_TEST_A,$FUSEKIT_TEST_AB >&2; exit 1"})->start({}, environment);
    });
  };
  EXPECT_EQ(said({}), "a worker process ended with exit code 1: ours,");
  EXPECT_EQ(said({"FUSEKIT_TEST_A=theirs", "FUSEKIT_TEST_AB=b"}), "a worker process ended with exit code 1: theirs,b");
  EXPECT_STREQ(getenv("FUSEKIT_TEST_A"), "ours");
  unsetenv("FUSEKIT_TEST_A");
}

TEST(ProcessLauncher, AnInterruptEndsTheWaitAndTheWorker) {
  const auto launcher = process_launcher({"/bin/sh", "-c", "read x; sleep 1000"}, [] { return true; });
  EXPECT_EQ(message_of([&] { launcher->start({}, {}); }), "interrupted");
  EXPECT_TRUE(no_child_left());
}

class RealWorker : public ::testing::Test {
 protected:
  RealWorker() {
    const auto module =
        fusekit::test::make_module("Scale", {{"weight", torch::full({1}, 3.0)}},
                                   "def forward(self, x):\n    print('noise')\n    return x * self.weight\n");
    fusekit::test::save_module(module, folder_ / "scale.pt");
    variant_.label = "scale";
    variant_.model = folder_ / "scale.pt";
    variant_.arguments.inputs.dims = {{2, 3}};
  }

  fusekit::test::TemporaryFolder folder_;
  Variant variant_;
  std::unique_ptr<Launcher> launcher_ = process_launcher({FUSEKIT_PROGRAM, "bench-worker"});
};

TEST_F(RealWorker, LoadsRunsAndCounts) {
  {
    const auto process = launcher_->start({.threads = 1, .engine = "auto"}, {});
    const LoadFigures load = process->load(5, variant_, 4096);
    EXPECT_GT(load.load_us, 0);
    EXPECT_GT(load.first_us, 0);
    const Times times = process->run({5, 1, 20});
    ASSERT_EQ(times.run_us.size(), 20U);
    for (double time : times.run_us) EXPECT_GT(time, 0);
    EXPECT_GE(times.wall_us, std::accumulate(times.run_us.begin(), times.run_us.end(), 0.0));
    EXPECT_GT(process->usage().peak_rss_kib, 10000);
    EXPECT_GT(process->usage().cpu_seconds, 0);
  }
  EXPECT_TRUE(no_child_left());
}

/// The state letter in /proc/PID/stat of this process's only child.
char state_of_child() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string pid, name, state, parent;
    if (file >> pid >> name >> state >> parent && parent == std::to_string(getpid())) return state.front();
  }
  return '?';
}

TEST_F(RealWorker, ThatIsSuspendedIsStoppedUntilItsNextRequest) {
  const auto process = launcher_->start({.threads = 1, .engine = "auto"}, {});
  process->load(0, variant_, 0);
  process->suspend();
  for (int i = 0; i < 100 && state_of_child() != 'T'; ++i) usleep(10000);
  EXPECT_EQ(state_of_child(), 'T');
  EXPECT_EQ(process->run({0, 1, 3}).run_us.size(), 3U);
  EXPECT_NE(state_of_child(), 'T');
  process->suspend();  // a suspended process can be ended, too
}

TEST_F(RealWorker, RunsStreamsSideBySide) {
  const auto process = launcher_->start({.threads = 1, .engine = "auto"}, {});
  variant_.streams = 3;
  process->load(0, variant_, 0);
  const Times times = process->run({0, 1, 20});
  EXPECT_EQ(times.run_us.size(), 60U);
  EXPECT_GE(times.wall_us, *std::max_element(times.run_us.begin(), times.run_us.end()));
}

TEST_F(RealWorker, ItsPeakMemoryIsItsOwn) {
  const std::string large(600 << 20, '\1');  // a child's ru_maxrss would start with this peak
  const auto process = launcher_->start({.threads = 1, .engine = "auto"}, {});
  process->load(0, variant_, 0);
  const std::int64_t small = process->usage().peak_rss_kib;
  EXPECT_LT(small, 600 << 10) << large.size();
  process->load(1, variant_, 100 << 20);
  EXPECT_GT(process->usage().peak_rss_kib, small + (90 << 10));
}

TEST_F(RealWorker, ConvertsModuleAndInputs) {
  variant_.dtype = "bfloat16";
  EXPECT_NE(load_runner(variant_)->run_and_print().find("CPUBFloat16Type{2,3}"), std::string::npos);
  variant_.dtype = "nonesuch";
  EXPECT_NE(message_of([&] { load_runner(variant_); }).find("nonesuch"), std::string::npos);
}

TEST_F(RealWorker, PassesErrorsOn) {
  const auto process = launcher_->start({}, {});
  variant_.arguments.none = true;
  EXPECT_NE(message_of([&] { process->load(0, variant_, 0); }).find("scale.pt"), std::string::npos);
  variant_.arguments.none = false;
  variant_.arguments.bundled = 0;
  EXPECT_NE(message_of([&] { process->load(0, variant_, 0); }).find("no bundled inputs"), std::string::npos);
  EXPECT_NE(message_of([&] { launcher_->start({.threads = 1, .engine = "nonesuch"}, {}); }).find("nonesuch"),
            std::string::npos);
}

}  // namespace
}  // namespace fusekit::bench
