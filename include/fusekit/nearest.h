#pragma once

#include <optional>
#include <string>
#include <vector>

namespace fusekit {

/// The one of `known` that `word` was most likely meant to be: the fewest letters to change, add, leave out or swap, and
/// not too many for its length. nullopt where none is near.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace fusekit
