#pragma once

#include <ATen/core/ivalue.h>

#include <string>

namespace fusekit::print {

/// The text that Python's str() returns: True, None, 1e-05, 6.0, (3, 3), (3,), same.
std::string python_text(const c10::IValue& value);

}  // namespace fusekit::print
