#include "cli/commands.h"

#include "cli/command.h"

namespace fusekit::cli {

std::vector<std::unique_ptr<Command>> all_commands() {
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(make_example_command());
  commands.push_back(make_fuse_command());
  commands.push_back(make_quantize_command());
  commands.push_back(make_verify_command());
  commands.push_back(make_bench_command());
  commands.push_back(make_bench_worker_command());
  commands.push_back(make_tune_command());
  commands.push_back(make_inspect_command());
  commands.push_back(make_doctor_command());
  return commands;
}

}  // namespace fusekit::cli
