#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/console.h"

namespace CLI {
class App;
}

namespace fusekit::cli {

inline constexpr int kDone = 0;           ///< done
inline constexpr int kNo = 1;             ///< done, and the answer is no
inline constexpr int kWrong = 2;          ///< the input or the call is wrong
inline constexpr int kInterrupted = 130;  ///< by Ctrl-C

/// One subcommand. The object lives as long as the parsed App: options are bound to its members.
class Command {
 public:
  virtual ~Command() = default;

  [[nodiscard]] virtual std::string name() const = 0;
  /// One line for `fusekit --help`.
  [[nodiscard]] virtual std::string summary() const = 0;
  /// One or more full command lines, shown at the end of `fusekit NAME --help`.
  [[nodiscard]] virtual std::string example() const = 0;
  /// A hidden command is left out of `fusekit --help`.
  [[nodiscard]] virtual bool hidden() const { return false; }

  /// Whether it times networks. Then the wait policy of its threads is left as it is in the user's programs.
  [[nodiscard]] virtual bool times_networks() const { return false; }

  virtual void add_options(CLI::App& app) = 0;
  /// Returns kDone or kNo; throws Error for everything that is wrong.
  virtual int run(Console& console) = 0;
};

/// All commands, in the order of `fusekit --help` (commands.cpp).
std::vector<std::unique_ptr<Command>> all_commands();

/// Parses, runs, and turns an Error into its message and exit code.
int run(int argc, char** argv);

}  // namespace fusekit::cli
