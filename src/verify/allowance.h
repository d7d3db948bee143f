#pragma once

#include <string>
#include <vector>

#include "inputs/inputs.h"

namespace fusekit::gate {

/// How a network is judged that is not meant to compute the same: by the SQNR of its outputs on samples that it was made
/// with.
struct Allowance {
  struct Named {
    std::string name;  ///< for messages: "photos/china.jpg"
    inputs::Sample inputs;
  };

  static constexpr int kRuns = 3;  ///< of each sample, one after the other; the executor specializes in the second

  std::vector<Named> samples;
  double min_sqnr_db = 0;
  double most_alone = 0;  ///< share of a sample's detections that may have no counterpart
};

}  // namespace fusekit::gate
