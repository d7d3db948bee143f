#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <ctime>

#include "cli/command.h"

namespace fusekit::cli {
namespace {

volatile std::sig_atomic_t flag = 0;
volatile std::sig_atomic_t first_second = 0;

/// The same Ctrl-C may come twice, from the terminal and from whoever started this process: what comes within a second
/// counts as one.
void raise_flag(int) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto second = static_cast<std::sig_atomic_t>(now.tv_sec);
  if (flag != 0 && second > first_second + 1) _exit(kInterrupted);
  if (flag == 0) first_second = second;
  flag = 1;
}

}  // namespace

InterruptWatch::InterruptWatch() {
  flag = 0;
  struct sigaction action {};
  action.sa_handler = raise_flag;  // no SA_RESTART: blocking calls have to return
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

InterruptWatch::~InterruptWatch() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool InterruptWatch::raised() { return flag != 0; }

}  // namespace fusekit::cli
