#pragma once

#include <exception>
#include <string>

namespace fusekit::runtime {

/// The reason of an exception from LibTorch in one line, without C++ backtrace, TorchScript traceback and "RuntimeError:".
std::string explain(const std::exception& error);

/// The same for the exception that is being handled, of any type: only for catch (...) blocks.
std::string explain_current_exception();

}  // namespace fusekit::runtime
