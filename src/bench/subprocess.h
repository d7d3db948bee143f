#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

/// Starting another program and reading its output.
namespace fusekit::bench {

/// An owned file descriptor; the destructor closes it.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number = -1) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~FileDescriptor() { close(); }

  void close();
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

/// (read end, write end), both close-on-exec. Error{usage}.
std::pair<FileDescriptor, FileDescriptor> make_pipe();

/// A file in memory that collects a child's stderr.
FileDescriptor make_stderr_file();
/// The last line of such a file.
std::string last_line_of(const FileDescriptor& file);

/// Starts `command` with these file descriptors as its stdin (-1: empty), stdout and stderr. `own_group`: in a process
/// group of its own. `more_environment`: "NAME=VALUE", added to this process's environment or replacing entries of it.
/// Error{usage} names the command.
pid_t spawn(const std::vector<std::string>& command, int in, int out, int err, bool own_group,
            const std::vector<std::string>& more_environment = {});

/// Waits for the end of `pid` and returns waitpid's status.
int wait_for(pid_t pid);

/// The meaning of waitpid's status: "ended with exit code 3" or "was ended by signal 9 (Killed)".
std::string exit_text(int status);

}  // namespace fusekit::bench
