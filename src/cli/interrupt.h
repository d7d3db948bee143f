#pragma once

namespace fusekit::cli {

/// While it lives, the first SIGINT or SIGTERM only raises a flag, so that the command can end what it started and say
/// so; the second one ends the program at once.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  [[nodiscard]] static bool raised();
};

}  // namespace fusekit::cli
