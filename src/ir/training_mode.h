#pragma once

#include <set>
#include <string>
#include <vector>

#include "ir/flatten.h"

// Modules that were saved in training mode, and compute something else than after eval().

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// Is this a read of a module's `training` that says yes? train() and eval() change it, so that no constant may stand for it.
bool reads_training_mode(const FlatGraph& flat, const Node* node);

/// Does a value depend on a module's `training`, as a BatchNorm's flag does?
bool follows_training_mode(const Value* value);

struct TrainingModules {
  std::set<std::string> by_attribute;  ///< paths of those that ask for `training`: eval() changes them
  std::set<std::string> by_constant;   ///< of those whose mode a trace has made part of the code: eval() does not
};

/// Looks through graphs whose settings are resolved, as far as they do not depend on the mode.
TrainingModules training_modules(const torch::jit::Module& root, const std::vector<FlatGraph>& flats);

}  // namespace fusekit::ir
