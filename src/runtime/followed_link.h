#pragma once

#include <filesystem>

namespace fusekit::runtime {

/// Where a name leads that may be a symbolic link, or a link to a link; what it leads to need not exist. Error{file}: the
/// links lead to each other.
std::filesystem::path followed(std::filesystem::path path);

}  // namespace fusekit::runtime
