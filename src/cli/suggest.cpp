#include "cli/suggest.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/option_table.h"

namespace fusekit::cli {
namespace {

/// Damerau's distance: letters to change, add, leave out, or swap with their neighbour.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        table[i][j] = i + j;
        continue;
      }
      const std::size_t changed = a[i - 1] == b[j - 1] ? 0 : 1;
      table[i][j] = std::min({table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + changed});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
    }
  }
  return table[a.size()][b.size()];
}

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

std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& known) {
  std::optional<std::string> best;
  std::size_t least = 1 + std::max<std::size_t>(1, word.size() / 3);
  for (const std::string& each : known) {
    const std::size_t here = distance(word, each);
    if (here >= least) continue;
    least = here;
    best = each;
  }
  return best;
}

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
