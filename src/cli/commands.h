#pragma once

#include <memory>

#include "cli/command.h"

namespace fusekit::cli {

// One maker a command; each command's class lives in the file of its name.
std::unique_ptr<Command> make_fuse_command();
std::unique_ptr<Command> make_quantize_command();
std::unique_ptr<Command> make_verify_command();
std::unique_ptr<Command> make_bench_command();
std::unique_ptr<Command> make_bench_worker_command();
std::unique_ptr<Command> make_tune_command();
std::unique_ptr<Command> make_doctor_command();
std::unique_ptr<Command> make_example_command();
std::unique_ptr<Command> make_inspect_command();

}  // namespace fusekit::cli
