#pragma once

#include <filesystem>
#include <string>

/// What a person or a program reads later: a baseline, a page.
namespace fusekit::file {

/// For what is written only after long work: Error{file} now, where write_text_file would fail for its folder, for want
/// of the right to write there, or because `path` is something else than a regular file. Writes nothing.
void check_text_file(const std::filesystem::path& path);

/// Replaces what is at `path` at once, so that there is never half a file. Error{file}.
void write_text_file(const std::filesystem::path& path, const std::string& text);

/// Error{file} where it can't be read; `hint` says what to do then.
std::string read_text_file(const std::filesystem::path& path, const std::string& hint);

}  // namespace fusekit::file
