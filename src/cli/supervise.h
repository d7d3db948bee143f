#pragma once

#include <functional>
#include <string>

namespace fusekit::cli {

/// Runs `work` in a child process and returns its exit code. A crash inside LibTorch becomes a message that names `what`
/// and exit code 2. SIGINT, SIGTERM and SIGHUP are forwarded to the child and give exit codes 130, 143 and 129; if this process dies, the child is killed.
/// Call it before any thread is started. In the child, it returns the result of `work`. With FUSEKIT_NO_SUPERVISOR=1 it
/// runs `work` in this process, for debuggers.
int supervise(const std::string& what, const std::function<int()>& work);

}  // namespace fusekit::cli
