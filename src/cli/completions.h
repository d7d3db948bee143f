#pragma once

#include <string>

namespace CLI {
class App;
}

namespace fusekit::cli {

/// A script that completes fusekit's commands and flags in "bash", "zsh" or "fish", made from the commands' options.
/// Error{usage} for another shell.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace fusekit::cli
