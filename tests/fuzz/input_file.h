#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace fusekit::fuzz {

/// A file of this process's own with these bytes.
inline std::filesystem::path input_file(const std::string& bytes) {
  static const std::string path = (std::filesystem::temp_directory_path() / "fuzz").string() + std::to_string(getpid());
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) std::abort();
  std::fclose(file);
  return path;
}

}  // namespace fusekit::fuzz
