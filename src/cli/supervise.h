#pragma once

#include <functional>
#include <string>

namespace fusekit::cli {

/// Runs `work` in a child process and returns its exit code, so that a crash inside LibTorch ends as a message that names
/// `what` and exit code 2, never as a signal. SIGINT, SIGTERM and SIGHUP are handed on to the child; if this process
/// dies, so does the child. Call it before anything starts a thread: in the child, it returns what `work` does.
/// FUSEKIT_NO_SUPERVISOR=1 runs `work` in this process, for debuggers.
int supervise(const std::string& what, const std::function<int()>& work);

}  // namespace fusekit::cli
