#pragma once

#include <cstdint>

#include "fusekit/bench.h"

namespace fusekit::bench {

/// The kernel's counters at its construction; `read` gives what happened since. Where /proc is missing: zeros.
class NoiseMeter {
 public:
  NoiseMeter();
  /// `own`: what the workers used from start to end, which does not count as noise; `measured`: during the blocks.
  [[nodiscard]] Noise read(const Usage& own, const Usage& measured) const;

 private:
  struct Counters {
    double busy = 0, steal = 0, total = 0;  ///< CPU seconds, all CPUs together
    double wall = 0;
    double throttled = 0;
    double megahertz = 0;
    double self = 0;  ///< CPU seconds of this process
  };
  static Counters count();
  Counters begin_;
};

/// Turns report.noise and report.environment into sentences: what was wrong and what to do.
void add_noise_warnings(Report& report);

}  // namespace fusekit::bench
