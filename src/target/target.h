#pragma once

#include <string>
#include <vector>

#include "file/original.h"
#include "fusekit/lower.h"
#include "ir/program.h"

namespace fusekit::target {

/// What there is to say of a file that is being written.
struct Remarks {
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

/// What a written file is for. Lowering is the last step before a file is written: it turns the functional graphs of a
/// fused or quantized program, and its groups (ir::Program::groups), into what runs best there.
struct Target {
  std::string name;     ///< as `--for` takes it
  std::string summary;  ///< one line
  /// `original`: the network that the program was read from, for runs. Errors: see fusekit::lower.
  void (*lower)(ir::Program& program, const file::Original& original, const LowerOptions& options);
  bool for_shapes = false;  ///< TargetInfo::for_shapes
  /// Of a target for phones: the last changes, to the tree that is saved. nullptr: not for phones.
  torch::jit::Module (*pack)(const torch::jit::Module& tree, const ir::Program& program, Remarks& remarks) = nullptr;

  /// Phones run one thread (LibTorch's and XNNPACK's pools get in each other's way) and the engine qnnpack, and may have
  /// the mobile interpreter alone: their files are compared so.
  [[nodiscard]] bool is_for_phones() const { return pack != nullptr; }
};

/// All targets; the first is the default. A new one is a folder of its own and a line in targets.cpp.
const std::vector<Target>& all_targets();

/// Error{unsupported}: there is no target of this name.
const Target& target_named(const std::string& name);

}  // namespace fusekit::target
