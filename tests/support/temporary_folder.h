#pragma once

#include <filesystem>
#include <string>

namespace fusekit::test {

/// A folder of its own for one test, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  /// Number of entries, hidden ones included: "nothing left behind" is a count.
  [[nodiscard]] std::size_t entries() const;

 private:
  std::filesystem::path path_;
};

/// The bytes of a file.
std::string bytes_of(const std::filesystem::path& path);
void write_bytes(const std::filesystem::path& path, const std::string& bytes);

}  // namespace fusekit::test
