#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace fusekit::file {

/// A file that has no name until it is complete, so that nothing can be left behind (Linux' O_TMPFILE; where the file
/// system lacks that, a hidden name that the destructor removes).
class AtomicFile {
 public:
  /// Opens a file in the folder of `output`, or of what that leads to as a symbolic link. Error{file} where that can't be.
  explicit AtomicFile(std::filesystem::path output);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Keeps the first failure for `finish` instead of throwing: LibTorch's writer ends the process when its sink fails.
  void append(const void* bytes, std::size_t size) noexcept;
  /// Flushes everything to the disk. Error{file} with what went wrong since the start.
  void finish();
  /// A path under which any process of this user can read the unnamed file.
  [[nodiscard]] std::filesystem::path readable_path() const;
  /// Gives the file its name. Without `replace` an existing file stays and is an Error{file}; with it, the file gets that
  /// one's permissions, and its owner where this user may set it.
  void publish(bool replace);

 private:
  [[noreturn]] void fail(const std::string& what, int error) const;
  [[nodiscard]] int rename_to_new() const;
  void take_owner_and_mode();
  /// Calls `make` with names that are likely free until one is (EEXIST); its result, and `named_` where it is not negative.
  int with_hidden_name(const std::function<int(const std::filesystem::path&)>& make);
  void forget_name();

  std::filesystem::path output_;
  std::filesystem::path folder_;
  std::filesystem::path named_;  ///< the hidden name, empty where the file has none
  int descriptor_ = -1;
  int error_ = 0;  ///< errno of the first failed write
};

}  // namespace fusekit::file
