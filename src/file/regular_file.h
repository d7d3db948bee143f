#pragma once

#include <filesystem>
#include <string>

namespace fusekit::file {

/// Error{file} where `path` is missing, unreadable, empty, a folder, or no regular file: devices and pipes are never
/// opened, so that nothing blocks.
void check_regular_file(const std::filesystem::path& path);

/// At most `count` bytes from the start of a file.
std::string first_bytes(const std::filesystem::path& path, std::size_t count);

}  // namespace fusekit::file
