#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace torch::jit {
struct Module;
}

namespace fusekit {

namespace ir {
struct Program;
}

/// A network as FuseKit works on it: one flat graph a method, in which every weight knows its path in the module tree.
class Program {
 public:
  explicit Program(std::unique_ptr<ir::Program> impl);
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  [[nodiscard]] ir::Program& impl() { return *impl_; }
  [[nodiscard]] const ir::Program& impl() const { return *impl_; }

  /// A fresh module tree of what the graphs still use, under the original paths and class names.
  [[nodiscard]] torch::jit::Module to_module() const;
  /// The class name of the root module, e.g. "ResNet".
  [[nodiscard]] std::string name() const;
  /// The methods that are kept: "forward" first, then other exported ones.
  [[nodiscard]] std::vector<std::string> methods() const;
  /// Nodes of all graphs, nested blocks included.
  [[nodiscard]] std::size_t node_count() const;

 private:
  std::unique_ptr<ir::Program> impl_;
};

/// Reads a TorchScript file; no method of it is run. Error{file}: it can't be opened or is no TorchScript file (the
/// message says what it is instead); Error{model}: it uses what FuseKit can't follow.
Program read(const std::filesystem::path& path);

}  // namespace fusekit
