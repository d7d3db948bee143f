#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace fusekit::test {

/// How often `part` stands in `text`.
inline std::size_t count_of(const std::string& part, const std::string& text) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A file of tests/data.
inline std::filesystem::path data(const std::string& name) {
  return std::filesystem::path(FUSEKIT_SOURCE_DIR) / "tests" / "data" / name;
}

}  // namespace fusekit::test
