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
  /// A fresh module tree of what the graphs still use, under the original paths and class names, in the file's state;
  /// running it does not change the model.
  [[nodiscard]] torch::jit::Module to_module() const;
  /// The class name of the root module, e.g. "ResNet".
  [[nodiscard]] std::string name() const;
  /// The methods that are kept: "forward" first, then other exported ones.
  [[nodiscard]] std::vector<std::string> methods() const;
  /// Paths of the modules that are in training mode and compute something else after eval(), sorted: a BatchNorm that
  /// uses batch statistics, a dropout that is on, whatever asks for `training`. Their mode is kept: train() and eval()
  /// work on the written file as on the original, but for traces, which have it as a constant.
  [[nodiscard]] std::vector<std::string> modules_in_training() const;
  /// Nodes of all graphs, nested blocks included.
  [[nodiscard]] std::size_t node_count() const;

 private:
  friend struct ModelParts;
  explicit Model(std::unique_ptr<ModelParts> parts);
  std::unique_ptr<ModelParts> parts_;
};

struct ReadOptions {
  /// Puts the network into eval() first, as `model.eval()` before it was saved would have: what is written then is for
  /// inference, and is compared with the file's network in eval(). Error{model} where a trace was made in training mode:
  /// its mode is part of the code.
  bool eval = false;
};

/// Reads a TorchScript file; no method of it is run. Error{file}: it can't be opened or is no TorchScript file (the
/// message says what it is instead); Error{model}: it uses what FuseKit can't follow.
Model read(const std::filesystem::path& path, const ReadOptions& options = {});

/// What to tell the user of modules that are in training mode; "" where there are none. It names at most four.
std::string training_warning(const std::vector<std::string>& modules);

}  // namespace fusekit
