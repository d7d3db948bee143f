#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "fusekit/error.h"

namespace fusekit::test {

/// Does `call` throw an Error of this kind whose message has `part`?
testing::AssertionResult refuses(ErrorKind kind, const std::string& part, const std::function<void()>& call);

}  // namespace fusekit::test
