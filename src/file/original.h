#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "file/fingerprint.h"
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

  /// From now on the network is the file's in eval().
  void put_into_eval();
  [[nodiscard]] bool is_in_eval() const { return eval_; }

  /// Tells which attributes its methods may write. Fresh modules share all others with it; without this, none.
  void set_written(std::set<std::string> paths) { written_ = std::move(paths); }
  /// Is it known that its methods write nothing, so that every run starts from the file's state?
  [[nodiscard]] bool has_no_state() const { return written_ && written_->empty(); }

  /// The network in the state that the file has it in, to be run: a copy, or, where there is no faithful one, the file
  /// loaded again (Error as `load`).
  [[nodiscard]] torch::jit::Module fresh() const;
  /// The same at the end of this object's life: its own module, where it is untouched.
  [[nodiscard]] torch::jit::Module last() &&;

 private:
  /// A tensor of the tree, and what it was when the file was read.
  struct AsLoaded {
    at::Tensor tensor;
    Fingerprint fingerprint;
  };
  [[nodiscard]] bool is_untouched() const;
  [[nodiscard]] Loaded load_it() const;

  std::filesystem::path path_;
  bool eval_ = false;
  Loaded loaded_;
  std::vector<AsLoaded> tensors_;
  std::optional<std::set<std::string>> written_;
};

}  // namespace fusekit::file
