#pragma once

#include <filesystem>

namespace fusekit::test {

/// What this process flushed to its disk during the object's lifetime. The program of the tests has an fsync of its own,
/// which takes notes and then does what it should.
class SyncedFiles {
 public:
  SyncedFiles();
  ~SyncedFiles();
  SyncedFiles(const SyncedFiles&) = delete;
  SyncedFiles& operator=(const SyncedFiles&) = delete;

  /// Was this file or folder flushed?
  [[nodiscard]] bool has(const std::filesystem::path& path) const;
};

}  // namespace fusekit::test
