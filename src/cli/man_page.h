#pragma once

#include <string>

namespace CLI {
class App;
}

namespace fusekit::cli {

/// What every help says at its end.
extern const char* const kExitCodes;
extern const char* const kEnvironment;

/// The man page of a command, or of "fusekit", made from the commands' options.
/// Error{usage} for a command that is not there.
std::string man_page(const CLI::App& app, const std::string& command);

}  // namespace fusekit::cli
