#include "bench/external_program.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "bench/subprocess.h"
#include "fusekit/error.h"
#include "fusekit/interrupted.h"

namespace fusekit::bench {
namespace {

/// A command that is running. The destructor kills it, with all processes that it started.
class RunningCommand {
 public:
  explicit RunningCommand(const std::string& command) : command_(command), stderr_(make_stderr_file()) {
    auto [read_end, write_end] = make_pipe();
    pid_ = spawn({"/bin/sh", "-c", command}, -1, write_end.get(), stderr_.get(), /*own_group=*/true);
    output_ = std::move(read_end);
  }
  RunningCommand(const RunningCommand&) = delete;
  RunningCommand& operator=(const RunningCommand&) = delete;
  ~RunningCommand() {
    kill(-pid_, SIGKILL);  // also its background processes
    if (!ended_) wait_for(pid_);
  }

  std::string output(double max_seconds, const std::function<bool()>& interrupted) {
    using Seconds = std::chrono::duration<double>;
    const auto begin = std::chrono::steady_clock::now();
    std::string text;
    while (true) {
      if (interrupted && interrupted()) throw Interrupted();
      if (Seconds(std::chrono::steady_clock::now() - begin).count() > max_seconds)
        throw Error(ErrorKind::input, fmt::format("'{}' was not done after {:.3g} s", command_, max_seconds),
                    "give bench::Options::max_seconds more, or let it run fewer iterations");
      pollfd waiting{output_.get(), POLLIN, 0};
      if (poll(&waiting, 1, 50) <= 0) continue;  // ms
      char chunk[65536];
      const ssize_t count = ::read(output_.get(), chunk, sizeof chunk);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      text.append(chunk, static_cast<std::size_t>(count));
    }
    const int status = wait_for(pid_);
    ended_ = true;
    if (status != 0) {
      const std::string reason = last_line_of(stderr_);
      throw Error(ErrorKind::input,
                  fmt::format("'{}' {}{}", command_, exit_text(status), reason.empty() ? "" : ": " + reason),
                  "try it by itself in a shell");
    }
    return text;
  }

 private:
  const std::string& command_;
  FileDescriptor stderr_;
  FileDescriptor output_;
  pid_t pid_ = -1;
  bool ended_ = false;
};

}  // namespace

std::vector<double> run_external_program(const std::string& command, double max_seconds,
                                         const std::function<bool()>& interrupted) {
  std::istringstream lines(RunningCommand(command).output(max_seconds, interrupted));
  std::vector<double> times;
  for (std::string line; std::getline(lines, line);) {
    char* end = nullptr;
    const double value = std::strtod(line.c_str(), &end);
    if (end == line.c_str() || std::string(end).find_first_not_of(" \t\r") != std::string::npos) continue;
    if (!(value > 0) || !std::isfinite(value))
      throw Error(ErrorKind::input, fmt::format("'{}' printed '{}', which is no time", command, line),
                  "a positive number of microseconds a line");
    times.push_back(value);
  }
  if (times.empty())
    throw Error(ErrorKind::input, fmt::format("'{}' printed no times", command),
                "it is to print one number a line: the microseconds of a run");
  return times;
}

}  // namespace fusekit::bench
