#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace fusekit::cli {

/// The one of `known` that `word` was most likely meant to be: the fewest letters to change, add, leave out or swap, and
/// not too many for its length. nullopt where none is near.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& known);

/// What is wrong with a command line, and what to do.
struct ParseProblem {
  std::string message;
  std::string hint;
};

/// For a command line that `app` could not parse because of `what`: names the wrong word and the nearest right one.
ParseProblem explain_parse_error(const CLI::App& app, const std::string& what);

}  // namespace fusekit::cli
