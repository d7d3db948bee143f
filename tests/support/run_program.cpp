#include "support/run_program.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <stdexcept>

#include "support/temporary_folder.h"

namespace fusekit::test {
namespace {

/// What LeakSanitizer says of a thread that it does not get hold of, on a busy machine, is no word of the program's.
std::string without_leak_checker(const std::string& err) {
  static const std::regex remark("==[0-9]+==Running thread [0-9]+ was not suspended[^\n]*\n");
  return std::regex_replace(err, remark, "");
}

}  // namespace

ProgramResult run_command(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
  const TemporaryFolder folder;
  const std::string out = (folder / "out").string();
  const std::string err = (folder / "err").string();
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);

  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_DFL);  // whoever started us
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(open(out.c_str(), O_CREAT | O_WRONLY, 0600), STDOUT_FILENO);
    dup2(open(err.c_str(), O_CREAT | O_WRONLY, 0600), STDERR_FILENO);
    for (const std::string& entry : environment) putenv(const_cast<char*>(entry.c_str()));
    execvp(argv[0], argv.data());
    std::perror(argv[0]);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return {code, bytes_of(out), without_leak_checker(bytes_of(err))};
}

ProgramResult run_fusekit(std::vector<std::string> arguments, const std::vector<std::string>& environment) {
  arguments.insert(arguments.begin(), FUSEKIT_PROGRAM);
  return run_command(arguments, environment);
}

}  // namespace fusekit::test
