#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace torch::jit {
struct Module;
}

namespace fusekit {

struct ModelParts;  // for FuseKit's own rooms: no header that is installed says what is in it

/// A network on its way from a file to a file: `read` gives it, `fuse` and `to_int8` change it, `write` writes it. It is
/// one flat graph a method, in which every weight knows its path in the module tree, and it keeps the network that was
/// read, so that inputs are worked out and results are compared without another load.
class Model {
 public:
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  /// The file that it was read from.
  [[nodiscard]] const std::filesystem::path& path() const;
  /// A fresh module tree of what the graphs still use, under the original paths and class names.
  [[nodiscard]] torch::jit::Module to_module() const;
  /// The class name of the root module, e.g. "ResNet".
  [[nodiscard]] std::string name() const;
  /// The methods that are kept: "forward" first, then other exported ones.
  [[nodiscard]] std::vector<std::string> methods() const;
  /// Nodes of all graphs, nested blocks included.
  [[nodiscard]] std::size_t node_count() const;

 private:
  friend struct ModelParts;
  explicit Model(std::unique_ptr<ModelParts> parts);
  std::unique_ptr<ModelParts> parts_;
};

/// Reads a TorchScript file; no method of it is run. Error{file}: it can't be opened or is no TorchScript file (the
/// message says what it is instead); Error{model}: it uses what FuseKit can't follow.
Model read(const std::filesystem::path& path);

}  // namespace fusekit
