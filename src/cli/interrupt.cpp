#include "cli/interrupt.h"

#include <csignal>

namespace fusekit::cli {
namespace {

volatile std::sig_atomic_t flag = 0;

void raise_flag(int) { flag = 1; }

}  // namespace

InterruptWatch::InterruptWatch() {
  flag = 0;
  struct sigaction action {};
  action.sa_handler = raise_flag;
  action.sa_flags = SA_RESETHAND;  // no SA_RESTART: blocking calls have to return
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

InterruptWatch::~InterruptWatch() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool InterruptWatch::raised() { return flag != 0; }

}  // namespace fusekit::cli
