#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "fusekit/error.h"

/// Bounds for code that comes from a file: a network's run, or what a file runs while it is loaded.
///
/// Nothing can stop an operator of LibTorch from outside. So there are two bounds. The soft one stops a run where it asks
/// for memory, which nearly every operator does: the run throws and its caller goes on. The hard one, later, is for what
/// never asks: a thread of its own watches the clock and the resident memory, and ends the process, where its program
/// allows that (fusekit::end_process_at_limits). RLIMIT_AS would bound addresses, of which LibTorch takes more than memory,
/// and turn a failed allocation anywhere into an abort.
namespace fusekit::runtime {

struct Limits {
  double seconds = 0;       ///< 0: no limit
  std::uint64_t bytes = 0;  ///< of resident memory, of the whole process; 0: no limit
};

/// Those of RuntimeOptions (fusekit::apply).
Limits standing_limits();

/// For a run that may fail without harm, such as a guess at a network's inputs: shorter, and with a bound on the memory
/// where the user gave none.
Limits limits_of_guesses();

/// What is watched. The clock counts the time in which this process can run: not while it is stopped (Ctrl-Z).
class Watch {
 public:
  /// `what` begins the message, e.g. "a run of model.pt".
  Watch(std::string what, Limits limits);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// The hard bound holds from `begin` to `end`: two stores, so that a timed loop can call them for each run.
  void begin() noexcept;
  void end() noexcept { since_ = kIdle; }

  [[nodiscard]] const std::string& what() const { return what_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  /// Milliseconds since `begin`.
  [[nodiscard]] std::int64_t milliseconds() const;

 private:
  friend class Watchman;
  static constexpr std::int64_t kIdle = -1;

  std::string what_;
  Limits limits_;
  std::atomic<std::int64_t> since_{kIdle};
};

/// During its lifetime, both bounds hold for what this thread does. A soft bound that is exceeded is an exception in the
/// allocation, which the interpreter words anew: callers ask `breach` for what it was.
class LimitedRun {
 public:
  explicit LimitedRun(std::string what, Limits limits = standing_limits());
  ~LimitedRun();
  LimitedRun(const LimitedRun&) = delete;
  LimitedRun& operator=(const LimitedRun&) = delete;

  /// Error{model} with what was exceeded; nullopt where nothing was.
  [[nodiscard]] const std::optional<Error>& breach() const { return breach_; }
  /// Throws it, if there is one.
  void check() const {
    if (breach_) throw Error(*breach_);
  }

  /// For the allocator: throws where `bytes` more, or the time, are too much.
  void allow(std::size_t bytes);

 private:
  [[noreturn]] void stop(Error breach);

  Watch watch_;
  LimitedRun* outer_;
  std::uint64_t unchecked_ = 0;  ///< bytes in small pieces since the memory was looked at
  std::optional<Error> breach_;
};

/// "4.3 GB".
std::string memory_text(std::uint64_t bytes);

}  // namespace fusekit::runtime
