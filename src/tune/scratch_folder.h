#pragma once

#include <filesystem>

namespace fusekit::tuning {

/// A hidden folder (runtime/unfinished_files.h) beside `output`, on the same disk, which is removed with everything in it.
class ScratchFolder {
 public:
  /// Error{file} where it can't be made.
  explicit ScratchFolder(const std::filesystem::path& output);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;  ///< holds the lock that says that it is in use
};

}  // namespace fusekit::tuning
