#pragma once

#include <string>
#include <vector>

#include "fusekit/model.h"

namespace fusekit {

/// What a file can be written for.
struct TargetInfo {
  std::string name;     ///< e.g. "portable"
  std::string summary;  ///< one line
};

/// All targets; the first is the default.
std::vector<TargetInfo> targets();

/// Turns a fused or quantized network into what runs best on a target; the last step, after which it can only be written.
/// `write` does it where it was not done. Does nothing where the network was lowered for this target already.
/// Error{unsupported}: there is no such target; Error{usage}: it was lowered for another one.
void lower(Model& model, const std::string& target = "portable");

}  // namespace fusekit
