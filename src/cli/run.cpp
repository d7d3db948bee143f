#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstring>
#include <iostream>
#include <sstream>

#include "cli/command.h"
#include "cli/completions.h"
#include "cli/heap.h"
#include "cli/man_page.h"
#include "cli/standard_streams.h"
#include "cli/suggest.h"
#include "cli/supervise.h"
#include "cli/wait_policy.h"
#include "fusekit/error.h"
#include "fusekit/interrupted.h"
#include "fusekit/runtime.h"

namespace fusekit::cli {
namespace {

using Words = std::vector<std::string>;

/// `fusekit help fuse` is `fusekit fuse --help`.
Words without_help_command(Words words) {
  if (words.empty() || words.front() != "help") return words;
  words.erase(words.begin());
  words.emplace_back("--help");
  return words;
}

/// Prints the help or version that was asked for, or the error in the command line.
int report_parse_error(const CLI::App& app, const CLI::ParseError& error, const Console& console) {
  const bool is_wrong_command =
      app.get_subcommands().empty() && !app.remaining().empty();  // even with --help behind it
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success) && !is_wrong_command) {
    std::ostringstream text;
    app.exit(error, text, text);
    std::string shown = text.str();
    while (shown.ends_with('\n')) shown.pop_back();
    console.print(shown);
    return kDone;
  }
  const ParseProblem problem = explain_parse_error(app, error.what());
  console.fail("usage", problem.message, problem.hint);
  return kWrong;
}

/// Calls `work`; prints the error that it throws.
int with_errors_told(const std::function<int(Console&)>& work) {
  Console console;
  try {
    return work(console);
  } catch (const Interrupted& error) {
    console.fail("interrupted", error.message(), error.hint());
    return kInterrupted;
  } catch (const Error& error) {
    console.fail(kind_name(error.kind()), error.message(), error.hint());
  } catch (const std::exception& error) {
    console.fail("internal", reason_of(error),
                 "this is a fault of FuseKit or LibTorch: please report it with the file");
  }
  return kWrong;
}

int run_command(Command& command) {
  end_process_at_limits([](const Error& error) {
    Console().fail(kind_name(error.kind()), error.message(), error.hint());
    std::fflush(stdout);
  });
  return Console::exit_code(with_errors_told([&command](Console& console) { return command.run(console); }));
}

/// All options and commands of the program.
class CommandLine {
 public:
  CommandLine() : app_("Fuses, verifies and times TorchScript files.", "fusekit"), commands_(all_commands()) {
    app_.set_version_flag("--version", fmt::format("fusekit {} (LibTorch {})", FUSEKIT_VERSION, libtorch_version()));
    app_.add_option("--completion", shell_, "Print a script that completes fusekit's words in bash, zsh or fish")
        ->type_name("SHELL");
    app_.add_option("--man-page", page_, "Print the man page of a command, or of fusekit itself")->type_name("NAME");
    app_.require_subcommand(0, 1);
    app_.footer(fmt::format("`fusekit help COMMAND` shows a command's options. Exit codes:\n  {}\nEnvironment:\n  {}",
                            kExitCodes, kEnvironment));
    for (const auto& command : commands_) {
      CLI::App* sub = app_.add_subcommand(command->name(), command->summary());
      sub->footer("Example:\n  " + command->example());
      if (command->hidden()) sub->group("");
      command->add_options(*sub);
      sub->callback([this, raw = command.get()] { chosen_ = raw; });
    }
  }

  /// Throws CLI::ParseError.
  void parse(Words words) {
    std::reverse(words.begin(), words.end());  // as CLI11 takes them
    app_.parse(std::move(words));
    if (chosen_ == nullptr && !wants_text()) throw CLI::RequiredError("A command");
  }

  [[nodiscard]] const CLI::App& app() const { return app_; }
  [[nodiscard]] Command* chosen() const { return chosen_; }
  [[nodiscard]] bool wants_text() const { return app_.count("--completion") > 0 || app_.count("--man-page") > 0; }
  [[nodiscard]] std::string text() const {
    return app_.count("--completion") > 0 ? completion_script(app_, shell_) : man_page(app_, page_);
  }

 private:
  CLI::App app_;
  std::vector<std::unique_ptr<Command>> commands_;
  Command* chosen_ = nullptr;
  std::string shell_;
  std::string page_;
};

/// Runs the command in a process of its own.
int run_supervised(Command& command, char** argv) {
  const bool is_for_results = !command.hidden() && !command.times_networks();
  // Before there is a child: what it shares with its supervisor would not survive a restart of its own.
  if (is_for_results && should_use_passive_wait()) restart_with_passive_wait(argv);
  const auto work = [&command, is_for_results] {
    if (is_for_results) bound_heap_fragmentation();
    return run_command(command);
  };
  // A hidden command is a worker of another command, which supervises it.
  return command.hidden() ? work() : supervise("fusekit " + command.name(), work);
}

}  // namespace

int run(int argc, char** argv) {
  own_standard_streams();
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow further (ulimit -f) is an error of the write
  const Words words(argv + std::min(argc, 1), argv + argc);
  if (std::find(words.begin(), words.end(), "--json") != words.end()) Console::write_errors_as_json();
  CommandLine line;
  try {
    line.parse(without_help_command(words));
  } catch (const CLI::ParseError& error) {
    return Console::exit_code(report_parse_error(line.app(), error, Console()));
  }
  if (line.chosen() != nullptr) return run_supervised(*line.chosen(), argv);
  return Console::exit_code(with_errors_told([&line](Console& console) {
    console.print_data(line.text());
    return kDone;
  }));
}

}  // namespace fusekit::cli
