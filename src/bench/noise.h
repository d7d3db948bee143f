#pragma once

#include <cstdint>

#include "fusekit/bench.h"

namespace fusekit::bench {

/// Reads the kernel's counters when it is constructed; `read` returns the changes since then. Zeros without /proc.
class NoiseMeter {
 public:
  NoiseMeter();
  /// `own`: usage of the workers from start to end, which is not noise. `measured`: their usage during the blocks.
  [[nodiscard]] Noise read(const Usage& own, const Usage& measured) const;

 private:
  struct Counters {
    double busy = 0, steal = 0, total = 0;  ///< CPU seconds of the CPUs that may be used
    double wall = 0;
    double throttled = 0;
    double megahertz = 0;
    double self = 0;  ///< CPU seconds of this process
  };
  static Counters count();
  Counters begin_;
};

/// Adds warnings for report.noise and report.environment: what disturbed the measurement and what to do about it.
void add_noise_warnings(Report& report);

}  // namespace fusekit::bench
