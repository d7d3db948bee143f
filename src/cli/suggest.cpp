#include "cli/suggest.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/option_table.h"
#include "fusekit/nearest.h"

namespace fusekit::cli {
namespace {

/// The command that was given, and above it the program.
const CLI::App& innermost(const CLI::App& app) {
  const auto given = app.get_subcommands();
  return given.empty() ? app : innermost(*given.front());
}

std::string name_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : name_of(*app.get_parent()) + " " + app.get_name();
}

std::vector<std::string> words_of(const CLI::App& app, bool flags) {
  std::vector<std::string> words;
  if (flags) {
    for (const OptionRow& row : option_table(app)) words.insert(words.end(), row.flags.begin(), row.flags.end());
  } else {
    for (const CLI::App* command : visible_commands(app)) words.push_back(command->get_name());
  }
  return words;
}

}  // namespace

ParseProblem explain_parse_error(const CLI::App& app, const std::string& what) {
  const CLI::App& command = innermost(app);
  const std::string name = name_of(command);
  const std::string see = fmt::format("see `{} --help`", name);
  const std::vector<std::string> unknown = command.remaining();
  if (unknown.empty()) return {what, see};
  const auto flag =
      std::find_if(unknown.begin(), unknown.end(), [](const std::string& w) { return w.starts_with("-"); });
  const bool is_flag = flag != unknown.end();
  const std::string word = is_flag ? flag->substr(0, flag->find('=')) : unknown.front();
  const auto meant = nearest(word, words_of(command, is_flag));
  const bool is_command = !is_flag && command.get_parent() == nullptr;
  const std::string message = is_flag      ? fmt::format("{} has no option {}", name, word)
                              : is_command ? fmt::format("there is no command {}", word)
                                           : fmt::format("{} has no use for \"{}\"", name, word);
  return {message, meant && (is_flag || is_command) ? fmt::format("did you mean {}? {}", *meant, see) : see};
}

}  // namespace fusekit::cli
