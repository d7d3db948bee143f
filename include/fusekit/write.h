#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "fusekit/program.h"

namespace fusekit {

struct WriteOptions {
  bool force = false;           ///< an existing output may be replaced
  bool in_place = false;        ///< the output may be the input
  std::filesystem::path input;  ///< the file that the program was read from, to be kept from being overwritten
  /// Asked with the path of the finished temporary file before it takes the output's name; false: nothing is written.
  std::function<bool(const std::filesystem::path&)> accept;
};

/// Throws what `write` would throw because of the output's path alone: call it before any long work.
void check_output(const std::filesystem::path& output, const WriteOptions& options);

/// Writes the program: an unnamed temporary file in the output's folder, fsync, `accept`, the name, fsync of the
/// folder. Returns false where `accept` did, with nothing left behind. The bytes depend on the program alone, not on
/// the output's name. The program is taken by value so that its weights are free while `accept` runs.
/// Error{file}: the folder is missing or read-only, the disk is full, the output exists, is the input, or is no
/// regular file.
bool write(Program program, const std::filesystem::path& output, const WriteOptions& options = {});

}  // namespace fusekit
