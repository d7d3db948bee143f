#pragma once

#include <ATen/core/ivalue.h>

#include <cstdint>

namespace fusekit::gate {

/// Two outputs, with the detections in them in one order.
struct AlignedOutputs {
  c10::IValue a;
  c10::IValue b;
  std::int64_t detections = 0;  ///< of the one that has more, over all images
  std::int64_t matched = 0;     ///< have a counterpart
  std::int64_t moved = 0;       ///< of these: their counterpart stands in another row

  [[nodiscard]] std::int64_t alone() const { return detections - matched; }
  [[nodiscard]] double share_alone() const {
    return detections == 0 ? 0 : static_cast<double>(alone()) / static_cast<double>(detections);
  }
};

/// A network that finds objects sorts them by their score, and nearly equal scores come in any order. Wherever both outputs
/// hold a dict as torchvision's detection networks return it ("boxes" (N, 4) as corners, "scores" (N), "labels" (N) or
/// none, all else with a row for each, e.g. masks), each detection of `a` is matched with the one of `b` that has its
/// label and overlaps it most (intersection over union of at least one half), each used once. The rows of both are then
/// what matched, in a's order. Outputs without such dicts come back as they are.
AlignedOutputs align_detections(const c10::IValue& a, const c10::IValue& b);

}  // namespace fusekit::gate
