// Runs fusekit's commands as the program does, but links LibTorch once and not for each of them: a command runs in a fork.
// scripts/hostile_files.py uses it. Called with words, it is the program: bench starts /proc/self/exe as its worker.
//
// A request is a line of JSON on stdin:
//   {"warm": FILE}      reads a model in this process, so that its forks need not parse LibTorch's operators again
//   {"folder": DIR, "stdout": FILE, "stderr": FILE, "words": ["fuse", ...]}
// The answers are lines on stdout: {"pid": N}, which is its session too, and when it has ended
//   {"code": exit code or -signal, "seconds": S, "kib": largest of its processes, "left": whether one of them goes on}
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "cli/command.h"
#include "cli/leave.h"
#include "fusekit/model.h"

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kUntilGone = std::chrono::seconds(1);  // for processes that are about to end
constexpr int kCantBegin = 99;

void answer(const Json& facts) { std::cout << facts.dump() << '\n' << std::flush; }

void redirect(int stream, const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file < 0 || dup2(file, stream) < 0) _exit(kCantBegin);
}

[[noreturn]] void become_program(const Json& request) {
  const std::string folder = request.at("folder");
  redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
  redirect(STDOUT_FILENO, request.at("stdout"), O_WRONLY | O_CREAT | O_TRUNC);
  redirect(STDERR_FILENO, request.at("stderr"), O_WRONLY | O_CREAT | O_TRUNC);
  if (setsid() < 0 || chdir(folder.c_str()) != 0) _exit(kCantBegin);
  setenv("TMPDIR", folder.c_str(), 1);
  setenv("HOME", folder.c_str(), 1);
  std::vector<std::string> words{"fusekit"};
  for (const Json& word : request.at("words")) words.push_back(word);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  fusekit::cli::leave(fusekit::cli::run(static_cast<int>(words.size()), arguments.data()));
}

/// Whether a child, or an orphan that came to this process, goes on.
bool is_any_left() {
  const Clock::time_point begin = Clock::now();
  for (;;) {
    const pid_t ended = waitpid(-1, nullptr, WNOHANG);
    if (ended < 0) return false;
    if (ended == 0 && Clock::now() - begin > kUntilGone) return true;
    if (ended == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void run(const Json& request) {
  while (waitpid(-1, nullptr, 0) > 0) {  // those that were left have been killed
  }
  const Clock::time_point begin = Clock::now();
  const pid_t pid = fork();
  if (pid == 0) become_program(request);
  answer({{"pid", pid}});
  int status = 0;
  rusage usage{};
  while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  const std::chrono::duration<double> seconds = Clock::now() - begin;
  answer({{"code", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)},
          {"seconds", seconds.count()},
          {"kib", usage.ru_maxrss},
          {"left", is_any_left()}});
}

void serve() {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (std::string line; std::getline(std::cin, line);) {
    const Json request = Json::parse(line);
    if (request.contains("warm"))
      fusekit::read(request.at("warm").get<std::string>());
    else
      run(request);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) fusekit::cli::leave(fusekit::cli::run(argc, argv));
  serve();
}
