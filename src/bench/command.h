#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fusekit::bench {

/// Runs `command` in a shell to its end and gives the times that it printed: each line of its stdout that is a number is
/// a run in microseconds, other lines are passed over. Error{input}: it fails, prints no number or one that is no time,
/// or goes on for longer than `max_seconds` (it is ended then, with all that it started). Error{usage}: interrupted.
std::vector<double> times_printed_by(const std::string& command, double max_seconds,
                                     const std::function<bool()>& interrupted);

}  // namespace fusekit::bench
