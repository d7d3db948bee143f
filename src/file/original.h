#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "file/load.h"

namespace fusekit::file {

/// A file's network as it was read. Its module is never run, so that it stays what the file says: what has to run takes
/// a `fresh` one.
class Original {
 public:
  /// Loads the file. Error as `load`.
  explicit Original(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const torch::jit::Module& module() const { return loaded_.module; }
  [[nodiscard]] const ir::ExtraFiles& extra() const { return loaded_.extra; }

  /// Tells which attributes its methods may write. Fresh modules share all others with it; without this, none.
  void set_written(std::set<std::string> paths) { written_ = std::move(paths); }

  /// The network in the state that the file has it in, to be run: a copy, or, where there is no faithful one, the file
  /// loaded again (Error as `load`).
  [[nodiscard]] torch::jit::Module fresh() const;
  /// The same at the end of this object's life: its own module, where it is untouched.
  [[nodiscard]] torch::jit::Module last() &&;

 private:
  /// A tensor of the tree, and how often it had been written to when the file was read.
  struct Version {
    at::Tensor tensor;
    std::uint32_t at_load = 0;
  };
  [[nodiscard]] bool is_untouched() const;

  std::filesystem::path path_;
  Loaded loaded_;
  std::vector<Version> versions_;
  std::optional<std::set<std::string>> written_;
};

}  // namespace fusekit::file
