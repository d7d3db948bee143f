#pragma once

#include <string>

namespace CLI {
class App;
}

namespace fusekit::cli {

/// What is wrong with a command line, and what to do.
struct ParseProblem {
  std::string message;
  std::string hint;
};

/// For a command line that `app` could not parse because of `what`: names the wrong word and the nearest right one.
ParseProblem explain_parse_error(const CLI::App& app, const std::string& what);

}  // namespace fusekit::cli
