#pragma once

#include <memory>

#include "cli/command.h"

namespace fusekit::cli {

// One maker a command; each command's class lives in the file of its name.
std::unique_ptr<Command> make_fuse_command();
std::unique_ptr<Command> make_verify_command();

}  // namespace fusekit::cli
