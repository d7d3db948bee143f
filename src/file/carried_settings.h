#pragma once

#include <torch/script.h>

#include "file/tree_plan.h"
#include "ir/program.h"

namespace fusekit::file {

/// The new module with what it carries on of the original module at `path`, in whose place it stands: settings
/// (attributes and constants, e.g. `stride`), `training`, and tensors that no graph ever read; as attributes, where it
/// has nothing of that name. What both have stands in the original's order.
ir::NewModule with_settings_of(const torch::jit::Module& original, const std::string& path, const ir::Program& program,
                               const TreePlan& plan, ir::NewModule module);

}  // namespace fusekit::file
