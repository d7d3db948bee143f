#pragma once

#include <filesystem>
#include <string_view>

#include "file/archive.h"

namespace fusekit::file {

/// How deep LibTorch's parser may have to go into itself: the most tokens that stand in one another, or in a chain
/// without a comma, with the blocks around them. Never less than that; a network's code has 20 or so.
int code_depth(std::string_view code);

/// LibTorch's parser has no bound and overflows its stack. Code that is nested more than 1000 deep is an Error{file} that
/// names the record.
void check_code_depth(const Archive& archive, const std::filesystem::path& path);

}  // namespace fusekit::file
