#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/command.h"
#include "cli/heap.h"
#include "cli/supervise.h"
#include "cli/wait_policy.h"
#include "fusekit/error.h"

namespace fusekit::cli {
namespace {

/// Prints the help or version that was asked for, or the error in the command line.
int report_parse_error(const CLI::App& app, const CLI::ParseError& error, const Console& console) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);
  std::string command = "fusekit";
  for (const CLI::App* sub : app.get_subcommands()) command += " " + sub->get_name();
  console.error(error.what(), fmt::format("see `{} --help`", command));
  return kWrong;
}

/// Runs the command; prints the error that it throws.
int run_command(Command& command) {
  Console console;
  try {
    return command.run(console);
  } catch (const Error& error) {
    console.end_progress();
    console.error(error.message(), error.hint());
  } catch (const std::exception& error) {
    console.end_progress();
    console.error(error.what(), "this is a fault of FuseKit or LibTorch: please report it with the file");
  }
  return kWrong;
}

}  // namespace

int run(int argc, char** argv) {
  CLI::App app{"Fuses, verifies and times TorchScript files.", "fusekit"};
  app.set_version_flag("--version", FUSEKIT_VERSION);
  app.require_subcommand(1);
  const auto commands = all_commands();
  Command* chosen = nullptr;
  for (const auto& command : commands) {
    CLI::App* sub = app.add_subcommand(command->name(), command->summary());
    sub->footer("Example:\n  " + command->example());
    if (command->hidden()) sub->group("");
    command->add_options(*sub);
    sub->callback([&chosen, raw = command.get()] { chosen = raw; });
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report_parse_error(app, error, Console());
  }
  const auto work = [chosen, argv] {
    if (!chosen->hidden() && !chosen->times_networks()) {
      if (should_use_passive_wait()) restart_with_passive_wait(argv);
      bound_heap_fragmentation();
    }
    return run_command(*chosen);
  };
  // A hidden command is a worker of another command, which supervises it.
  return chosen->hidden() ? work() : supervise("fusekit " + chosen->name(), work);
}

}  // namespace fusekit::cli
