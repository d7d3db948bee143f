#pragma once

#include <vector>

#include "rewrite/rule.h"

namespace fusekit::rewrite {

/// All rules, in the order in which they run: longer patterns before their parts.
std::vector<Rule> pipeline();

}  // namespace fusekit::rewrite
