// Standard streams that are closed or full, and what the program says at a terminal that can do little.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/console.h"
#include "cli/standard_streams.h"
#include "support/module.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit::cli {
namespace {

using test::has;

/// Runs a shell's command line in which $FUSEKIT is the program.
test::ProgramResult shell(const std::string& line) {
  return test::run_command({"/bin/sh", "-c", line}, {std::string("FUSEKIT=") + FUSEKIT_PROGRAM});
}

class Streams : public testing::Test {
 protected:
  Streams() {
    test::save_module(test::make_module("Net", {{"w", at::ones({2, 3})}},
                                        "def forward(self, x):\n    return torch.matmul(x, self.w)\n"),
                      folder_ / "net.pt");
    // Python's warning in forward ends on stderr.
    test::save_module(test::make_module("Warns", {{"w", at::ones({2, 3})}},
                                        "def forward(self, x):\n    y = torch.matmul(x, self.w)\n"
                                        "    return torch.floor_divide(y, 2)\n"),
                      folder_ / "warns.pt");
  }
  [[nodiscard]] std::string at(const std::string& name) const { return (folder_ / name).string(); }

  test::TemporaryFolder folder_;
};

TEST_F(Streams, ThatAreClosedDoNotEndTheProgram) {
  for (const char* closed : {"2>&-", "<&- 2>&-", "<&- >&- 2>&-", "<&-"})
    EXPECT_EQ(shell("$FUSEKIT inspect /nowhere/nofile " + std::string(closed)).exit_code, 2) << closed;
  EXPECT_EQ(shell("$FUSEKIT inspect " + at("net.pt") + " <&- 2>&-").exit_code, 0);
}

/// The standard streams that can be written to, of a process that was started without any, as bits.
int writable_streams() {
  const pid_t child = fork();
  if (child == 0) {
    for (const int stream : {0, 1, 2}) close(stream);
    own_standard_streams();
    int writable = 0;
    for (const int stream : {0, 1, 2}) writable |= ::write(stream, "x", 1) == 1 ? 1 << stream : 0;
    _exit(open("/dev/null", O_RDONLY) < 3 ? 100 : writable);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StandardStreams, ThatAreClosedAreTakenAndOutputIsNotLostInSilence) { EXPECT_EQ(writable_streams(), 1 << 2); }

TEST_F(Streams, NothingIsPrintedIntoTheWrittenFile) {
  const std::string fuse = "$FUSEKIT fuse --force --input_dims 1,2 " + at("warns.pt") + " -o ";
  ASSERT_EQ(shell(fuse + at("open.pt")).exit_code, 0);
  for (const char* closed : {"2>&-", "<&- 2>&-"}) {
    ASSERT_EQ(shell(fuse + at("closed.pt") + " " + closed).exit_code, 0);
    EXPECT_EQ(test::bytes_of(at("closed.pt")), test::bytes_of(at("open.pt"))) << closed;
  }
  shell(fuse + at("all_closed.pt") + " <&- >&- 2>&-");
  EXPECT_EQ(test::bytes_of(at("all_closed.pt")), test::bytes_of(at("open.pt")));
}

TEST_F(Streams, LostResultsAreAnError) {
  for (const std::string& words :
       {"inspect " + at("net.pt"), "inspect --json " + at("net.pt"), std::string("--help"), std::string("--version"),
        "fuse --dry-run " + at("net.pt"), "verify " + at("net.pt") + " " + at("net.pt"), std::string("fuse --help"),
        std::string("--completion bash"), "bench --iter 1 " + at("net.pt")}) {
    for (const char* lost : {">/dev/full", ">&-"}) {
      const auto result = shell("$FUSEKIT " + words + " " + lost);
      EXPECT_EQ(result.exit_code, 2) << words << lost;
      EXPECT_TRUE(has(result.err, "error: the results can't be written to standard output: ")) << words << result.err;
    }
  }
}

TEST_F(Streams, LostDiagnosticsAreNone) {
  EXPECT_EQ(shell("$FUSEKIT inspect " + at("net.pt") + " 2>/dev/full").exit_code, 0);
  EXPECT_EQ(shell("$FUSEKIT inspect /nowhere/nofile 2>/dev/full").exit_code, 2);
}

TEST_F(Streams, AReaderThatLeavesIsNoCrash) {
  const auto result = shell("$FUSEKIT inspect " + at("net.pt") + " | true");
  EXPECT_FALSE(has(result.err, "terminate")) << result.err;
}

TEST(Console, TellsTheTimeThatIsLeft) {
  EXPECT_EQ(time_left(0.5, 1), "");  // too early
  EXPECT_EQ(time_left(0, 10), "");
  EXPECT_EQ(time_left(1, 10), "");
  EXPECT_EQ(time_left(0.25, 10), ", 30 s left");
  EXPECT_EQ(time_left(0.1, 60), ", 9 min left");
}

}  // namespace
}  // namespace fusekit::cli
