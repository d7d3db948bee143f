#pragma once

#include <ATen/core/ivalue.h>

#include <string>

namespace fusekit::print {

/// What Python's str() gives: True, None, 1e-05, 6.0, (3, 3), (3,), same.
std::string python_text(const c10::IValue& value);

}  // namespace fusekit::print
