#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

/// What it takes to start another program and to hear from it.
namespace fusekit::bench {

/// A file descriptor that is closed at its end.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }

  void close();
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

/// (read end, write end), neither of which a child inherits by accident. Error{usage}.
std::pair<Descriptor, Descriptor> make_pipe();

/// A file in memory for a child's stderr.
Descriptor make_words();
/// The last line in it.
std::string last_words(const Descriptor& words);

/// Starts `command` with these as its stdin (-1: empty), stdout and stderr. `own_group`: in a process group of its own.
/// `more_environment`: "NAME=VALUE", beside or instead of what this process has. Error{usage} names the command.
pid_t spawn(const std::vector<std::string>& command, int in, int out, int err, bool own_group,
            const std::vector<std::string>& more_environment = {});

/// Waits for the end of `pid` and gives what waitpid gives.
int wait_for(pid_t pid);

/// "ended with exit code 3" or "was ended by signal 9 (Killed)".
std::string end_in_words(int status);

}  // namespace fusekit::bench
