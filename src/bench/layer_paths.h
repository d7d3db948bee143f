#pragma once

#include <torch/script.h>

#include <map>
#include <string>
#include <vector>

namespace fusekit::bench {

/// A weight, plain or packed, as operators are given it.
struct OwnedWeight {
  std::string path;                 ///< of the module that it belongs to: "layer1.0.conv1"
  std::vector<std::int64_t> sizes;  ///< of the plain weight; empty where a packed one does not tell
  double bytes = 0;                 ///< with the bias that is packed with it
};

/// The weights of a module, by what operators are given.
class Weights {
 public:
  explicit Weights(const torch::jit::Module& module);

  /// nullptr: not a weight.
  [[nodiscard]] const OwnedWeight* find(const c10::IValue& value) const;
  /// Also in a list of tensors: the weights of a recurrent layer. The first.
  [[nodiscard]] const OwnedWeight* find_in(const c10::IValue& value) const;

 private:
  std::map<const void*, OwnedWeight> by_identity_;
};

/// Does forward call other modules? A file that is fused or frozen is flat: only weights tell where an operator belongs.
bool calls_modules(const torch::jit::Module& module);

/// The module whose code calls the operator that this thread's interpreter is at: "layer1.0"; "" for the root's.
std::string calling_module();

/// The path in what torch::jit::currentModuleHierarchy tells: "layer1.0" of
/// "TOP(Net)::forward.SELF(Net)::helper.layer1(Sequential)::forward.0(Block)::forward".
std::string path_in_hierarchy(const std::string& hierarchy);

}  // namespace fusekit::bench
