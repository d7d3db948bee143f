#include "cli/supervise.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "cli/command.h"

namespace fusekit::cli {
namespace {

constexpr std::array kEnding{SIGINT, SIGTERM, SIGHUP};

// A signal handler has nothing but globals.
volatile std::sig_atomic_t child = 0;
volatile std::sig_atomic_t was_asked_to_end = 0;

void hand_on(int signal) {
  was_asked_to_end = 1;
  kill(static_cast<pid_t>(child), signal);
}

/// While one lives, the ending signals wait.
class Held {
 public:
  Held() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int signal : kEnding) sigaddset(&ending, signal);
    sigprocmask(SIG_BLOCK, &ending, &before_);
  }
  ~Held() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  sigset_t before_{};
};

/// While one lives, the ending signals go to the child; those that are ignored, as by nohup, stay ignored.
class HandedOn {
 public:
  explicit HandedOn(pid_t pid) {
    child = pid;
    was_asked_to_end = 0;
    for (std::size_t k = 0; k < kEnding.size(); ++k) {
      struct sigaction action {};
      action.sa_handler = hand_on;
      sigaction(kEnding[k], nullptr, &before_[k]);
      if (before_[k].sa_handler != SIG_IGN) sigaction(kEnding[k], &action, nullptr);
    }
  }
  ~HandedOn() {
    for (std::size_t k = 0; k < kEnding.size(); ++k) sigaction(kEnding[k], &before_[k], nullptr);
  }
  HandedOn(const HandedOn&) = delete;
  HandedOn& operator=(const HandedOn&) = delete;

 private:
  std::array<struct sigaction, kEnding.size()> before_{};
};

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

int exit_code(const std::string& what, int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const int signal = WTERMSIG(status);
  if (signal == SIGPIPE) return kWrong;  // whoever read the results has had enough
  const Console console;
  console.end_progress();
  if (was_asked_to_end != 0 || signal == SIGINT || signal == SIGTERM || signal == SIGHUP) {
    console.error("interrupted", "no unfinished file is left behind");
  } else {
    console.error(fmt::format("{} was ended by signal {} ({})", what, signal, strsignal(signal)),
                  signal == SIGKILL ? "most likely the memory ran out" : "LibTorch crashed: report it with the file");
  }
  return kWrong;
}

}  // namespace

int supervise(const std::string& what, const std::function<int()>& work) {
  const char* off = std::getenv("FUSEKIT_NO_SUPERVISOR");
  if (off && std::strcmp(off, "1") == 0) return work();
  auto held = std::make_unique<Held>();  // until it is known to whom signals go
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) held.reset();
  if (pid < 0) return work();  // no second process to be had: as well as it goes in this one
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kWrong);  // it died before the line above
    held.reset();
    return work();
  }
  const HandedOn handed_on(pid);
  held.reset();
  return exit_code(what, wait_for(pid));
}

}  // namespace fusekit::cli
