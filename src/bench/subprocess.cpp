#include "bench/subprocess.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fusekit/error.h"

extern char** environ;

namespace fusekit::bench {
namespace {

[[noreturn]] void fail(const std::string& what, int code) {
  throw Error(ErrorKind::usage, fmt::format("can't start a worker process: {}: {}", what, std::strerror(code)),
              "check the limits on processes and open files (ulimit -a)");
}

}  // namespace

void FileDescriptor::close() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

std::pair<FileDescriptor, FileDescriptor> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe", errno);
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

FileDescriptor make_stderr_file() { return FileDescriptor(memfd_create("fusekit-worker", MFD_CLOEXEC)); }

std::string last_line_of(const FileDescriptor& file) {
  const off_t size = file.get() < 0 ? 0 : lseek(file.get(), 0, SEEK_END);
  std::string text(static_cast<std::size_t>(std::clamp<off_t>(size, 0, 4096)), '\0');
  if (text.empty() || pread(file.get(), text.data(), text.size(), size - static_cast<off_t>(text.size())) < 0)
    return {};
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

namespace {

/// Pointers into this process's environment and `more`, ended by nullptr. Entries of `more` replace those of the same
/// name.
std::vector<char*> environment_with(const std::vector<std::string>& more) {
  std::vector<char*> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view known(*entry);
    const std::string_view name = known.substr(0, known.find('=') + 1);
    const bool replaced =
        std::any_of(more.begin(), more.end(), [&](const std::string& s) { return s.starts_with(name); });
    if (!replaced) all.push_back(*entry);
  }
  for (const std::string& entry : more) all.push_back(const_cast<char*>(entry.c_str()));
  all.push_back(nullptr);
  return all;
}

}  // namespace

pid_t spawn(const std::vector<std::string>& command, int in, int out, int err, bool own_group,
            const std::vector<std::string>& more_environment) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> environment = environment_with(more_environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (in >= 0) posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  if (in < 0) posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (err >= 0) posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  if (own_group) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int code = posix_spawn(&pid, arguments.front(), &actions, &attributes, arguments.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) fail(command.front(), code);
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

std::string exit_text(int status) {
  return WIFSIGNALED(status) ? fmt::format("was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))
                             : fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

}  // namespace fusekit::bench
