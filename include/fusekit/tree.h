#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace torch::jit {
struct Module;
}

namespace fusekit {

/// A module and what is below it, as `print(model)` shows it in Python.
struct ModuleTree {
  std::string name;        ///< in its parent; empty for the root
  std::string class_name;  ///< the Python class's own name, e.g. "Conv2d"
  std::string extra;  ///< what stands between the class's parentheses, e.g. "3, 5, kernel_size=(3, 3), stride=(1, 1)"
  std::vector<ModuleTree> children;
  std::size_t calls = 0;  ///< places in the code of the module tree that call it by its path; the root has none
};

/// The text of PyTorch's `print(model)`, without a line end.
std::string to_string(const ModuleTree& tree);

/// The tree of a scripted, traced or rebuilt module. The layers' settings come from the classes' constants (scripted),
/// else from the code that uses the weights (traced), else from the weights' shapes; what none of them tells is left out.
ModuleTree tree_of(const torch::jit::Module& module);

/// tree_of the module in a TorchScript file. Error{file} as `read`.
ModuleTree read_tree(const std::filesystem::path& path);

/// What fuse_modules would show.
struct FusedTree {
  ModuleTree tree;
  std::vector<std::string> ignored;  ///< a sentence for each list that stays as it is, and why
};

/// `tree` after fuse_modules(model.eval(), lists): the first module of a list becomes the fused module, the others
/// become Identity. Each list holds module paths, e.g. {"layer1.0.conv1", "layer1.0.bn1", "layer1.0.relu"}.
FusedTree fused(ModuleTree tree, const std::vector<std::vector<std::string>>& lists);

}  // namespace fusekit
