#pragma once

#include <string>
#include <vector>

namespace fusekit::test {

struct ProgramResult {
  int exit_code = -1;  ///< 128 + signal where a signal ended it
  std::string out;     ///< stdout
  std::string err;     ///< stderr
};

/// Runs a command line of its own words (no shell); stdin is empty. `environment`: extra "NAME=value" entries.
ProgramResult run_command(const std::vector<std::string>& words, const std::vector<std::string>& environment = {});

/// Runs the fusekit that was built beside the tests.
ProgramResult run_fusekit(std::vector<std::string> arguments, const std::vector<std::string>& environment = {});

}  // namespace fusekit::test
