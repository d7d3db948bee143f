#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fusekit::bench {

/// Runs `command` in a shell until it ends and returns the times that it printed. Each line of its stdout that is a number
/// is the time of one run in microseconds; other lines are ignored. Error{input}: it fails, prints no number or one that
/// is not a time, or takes longer than `max_seconds` (it is then killed, with all processes that it started).
/// Interrupted: `interrupted` says so.
std::vector<double> run_external_program(const std::string& command, double max_seconds,
                                         const std::function<bool()>& interrupted);

}  // namespace fusekit::bench
