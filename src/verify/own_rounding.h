#pragma once

#include <filesystem>
#include <optional>

#include "fusekit/verify.h"
#include "verify/side_by_side.h"

namespace fusekit::gate {

/// How far a and b are from a run in double, where b is further from a than the tolerance.
///
/// A sum that cancels has a relative error of its own that no fixed tolerance knows: two right ways to compute it differ
/// by as much. So the original is run once more with its weights, constants and inputs in double, and b may be as far from
/// that as a few times the original is itself, output by output, and so for what it writes into its attributes and inputs.
struct RoundingVerdict {
  OwnRounding worst;    ///< of the tensor where b's error is largest
  bool passed = false;  ///< b rounds no worse than a, and a's outputs are more than noise
};

/// Two files, and how they were run.
struct RoundingSides {
  std::filesystem::path a;
  bool a_in_eval = false;  ///< it was put into eval() after its load
  std::filesystem::path b;
  bool b_in_eval = false;
  bool b_mobile = false;  ///< in the mobile interpreter, where what it writes into its attributes can't be seen
};

/// Runs a's network, the same in double, and b from new loads through `course`, as `report` counts. nullopt: the
/// network does not run in double, or draws random numbers, or what differs is no matter of rounding, so that nothing can
/// be said.
std::optional<RoundingVerdict> judge_rounding(const RoundingSides& sides, const Course& course,
                                              const VerifyReport& report);

}  // namespace fusekit::gate
