#pragma once

#include <string>
#include <vector>

#include "file/original.h"
#include "fusekit/lower.h"
#include "ir/program.h"

namespace fusekit::target {

/// What a written file is for. Lowering is the last step before a file is written: it turns the functional graphs of a
/// fused or quantized program, and its groups (ir::Program::groups), into what runs best there.
struct Target {
  std::string name;     ///< as `--for` takes it
  std::string summary;  ///< one line
  /// `original`: the network that the program was read from, for runs. Errors: see fusekit::lower.
  void (*lower)(ir::Program& program, const file::Original& original, const LowerOptions& options);
  bool for_shapes = false;  ///< TargetInfo::for_shapes
};

/// All targets; the first is the default. A new one is a folder of its own and a line in targets.cpp.
const std::vector<Target>& all_targets();

}  // namespace fusekit::target
