#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace fusekit::cli {

/// An option as the help, the completions and the man pages show it.
struct OptionRow {
  std::string group;               ///< "Options", "Inputs", ...
  std::vector<std::string> flags;  ///< "-o", "--output"; empty for a positional one
  std::string value;               ///< "TEXT", "SECONDS", ...; the name of a positional one; empty for a flag
  std::string description;
};

/// The options of a command, in the order of its help.
std::vector<OptionRow> option_table(const CLI::App& command);

/// The commands that users know, without hidden ones.
std::vector<const CLI::App*> visible_commands(const CLI::App& app);

}  // namespace fusekit::cli
