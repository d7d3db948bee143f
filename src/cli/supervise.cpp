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
#include "fusekit/runtime.h"

namespace fusekit::cli {
namespace {

constexpr int kSignalled = 128;  // and the signal's number: the exit code, as a shell has it
constexpr std::array kTerminationSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// A signal handler can only use globals.
volatile std::sig_atomic_t child = 0;
volatile std::sig_atomic_t was_terminated = 0;

/// A terminal sends Ctrl-C to the child as well.
void forward_signal(int signal, siginfo_t* info, void* /*context*/) {
  was_terminated = signal;
  if (info == nullptr || info->si_code != SI_KERNEL) kill(static_cast<pid_t>(child), signal);
}

/// During its lifetime, the termination signals are blocked.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : kTerminationSignals) sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, &before_);
  }
  ~BlockedSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

/// During its lifetime, the termination signals are forwarded to the child. Signals that are ignored (as with nohup) stay
/// ignored.
class ForwardedSignals {
 public:
  explicit ForwardedSignals(pid_t pid) {
    child = pid;
    was_terminated = 0;
    for (std::size_t k = 0; k < kTerminationSignals.size(); ++k) {
      struct sigaction action {};
      action.sa_sigaction = forward_signal;
      action.sa_flags = SA_SIGINFO;
      sigaction(kTerminationSignals[k], nullptr, &before_[k]);
      if (before_[k].sa_handler != SIG_IGN) sigaction(kTerminationSignals[k], &action, nullptr);
    }
  }
  ~ForwardedSignals() {
    for (std::size_t k = 0; k < kTerminationSignals.size(); ++k)
      sigaction(kTerminationSignals[k], &before_[k], nullptr);
  }
  ForwardedSignals(const ForwardedSignals&) = delete;
  ForwardedSignals& operator=(const ForwardedSignals&) = delete;

 private:
  std::array<struct sigaction, kTerminationSignals.size()> before_{};
};

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

const char* hint_of_crash(int signal) {
  if (signal == SIGKILL) return "most likely the memory ran out";
  if (signal == SIGFPE) return "the network divides a whole number by zero, or beyond its range, and LibTorch lets it";
  return "LibTorch crashed: report it with the file";
}

int exit_code(const std::string& what, int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const int signal = WTERMSIG(status);
  if (signal == SIGPIPE) return kWrong;  // the reader of the results closed the pipe
  const Console console;
  if (was_terminated != 0 || signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT) {
    console.fail("interrupted", "interrupted", "no unfinished file is left behind");
    return kSignalled + (was_terminated != 0 ? static_cast<int>(was_terminated) : signal);
  }
  console.fail("crash", fmt::format("{} was ended by signal {} ({})", what, signal, strsignal(signal)),
               hint_of_crash(signal));
  return kWrong;
}

}  // namespace

int supervise(const std::string& what, const std::function<int()>& work) {
  const char* off = std::getenv("FUSEKIT_NO_SUPERVISOR");
  if (off && std::strcmp(off, "1") == 0) return work();
  share_unfinished_files();
  auto blocked = std::make_unique<BlockedSignals>();  // until it is clear which process gets the signals
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) blocked.reset();
  if (pid < 0) return work();  // there is no second process, so run it unsupervised
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kWrong);  // the parent died before the line above
    blocked.reset();
    return work();
  }
  const ForwardedSignals forwarded(pid);
  blocked.reset();
  const int status = wait_for(pid);
  remove_unfinished_files();
  return exit_code(what, status);
}

}  // namespace fusekit::cli
