#pragma once

namespace fusekit::cli {

/// During its lifetime, the first SIGINT or SIGTERM only sets a flag, so that the command can stop its work and print a
/// message. One that comes a second or more later ends the program at once.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  [[nodiscard]] static bool raised();
};

}  // namespace fusekit::cli
