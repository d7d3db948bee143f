#pragma once

#include <torch/script.h>

#include <map>
#include <string>

#include "verify/compare.h"

namespace fusekit::gate {

/// What a module has in its attributes besides submodules: tensors, numbers, strings and containers of these, by path.
class State {
 public:
  /// Remembers the module as it is now.
  explicit State(const torch::jit::Module& module);

  /// Compares what the module's runs have written since then with the same attributes of `other`. One that `other`
  /// lacks is a failure.
  [[nodiscard]] Comparison compare_written(const torch::jit::Module& other) const;

 private:
  struct Entry {
    c10::IValue before;         ///< a tensor itself, a copy of anything else
    std::uint32_t version = 0;  ///< of a tensor, which every write in place raises
  };

  torch::jit::Module module_;
  std::map<std::string, Entry> entries_;
};

}  // namespace fusekit::gate
