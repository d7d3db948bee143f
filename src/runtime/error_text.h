#pragma once

#include <exception>
#include <string>

namespace fusekit::runtime {

/// What LibTorch means by an exception, in one line: no C++ backtrace, no TorchScript traceback, no "RuntimeError:".
std::string explain(const std::exception& error);

/// The same for an exception that is being handled, whatever its type: for catch (...) blocks only.
std::string explain_current_exception();

}  // namespace fusekit::runtime
