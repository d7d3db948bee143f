#pragma once

#include <functional>
#include <string>
#include <utility>

#include "fusekit/error.h"
#include "fusekit/verify.h"
#include "inputs/inputs.h"
#include "verify/runnable.h"

namespace fusekit::gate {

/// What two networks are run on, one after the other: `VerifyReport::samples` samples, each `VerifyReport::runs` times.
struct Course {
  std::string method;
  std::string a_name;  ///< what messages call the first network
  std::string b_name;  ///< and the second
  /// The k-th sample and what messages call it.
  std::function<std::pair<std::string, inputs::Sample>(std::size_t k)> sample;
  /// For a run ("run 1 of sample 2") in which the first network throws (what it throws).
  std::function<Error(const std::string& run, const std::string& problem)> cannot_run;
  /// VerifyOptions::progress.
  std::function<void(double share, const std::string& what)> progress;
};

/// Runs both and fills in what `report` leaves open; its bounds and counts, and what the inputs are called, are given. What
/// the runs write into the state of `a`, which has a tree, is compared where `b` has one.
/// Both are changed by their runs. The caller's random generator stays as it was.
void run_side_by_side(const Runnable& a, const Runnable& b, const Course& course, VerifyReport& report);

}  // namespace fusekit::gate
