#pragma once

#include <torch/script.h>

#include <map>
#include <set>
#include <string>

#include "file/fingerprint.h"
#include "verify/compare.h"

namespace fusekit::gate {

/// All attributes of a module and its submodules that can be copied and compared, by path.
std::map<std::string, c10::IValue> attributes_of(const torch::jit::Module& module);

/// What a module has in its attributes besides submodules: tensors, numbers, strings and containers of these, by path.
class State {
 public:
  /// Remembers the module as it is now.
  explicit State(const torch::jit::Module& module);

  /// What the module's runs have written since then, as it is now.
  [[nodiscard]] std::map<std::string, c10::IValue> written() const;

  /// Compares what the module's runs have written since then with the same attributes of `other`. One that `other`
  /// lacks is a failure.
  [[nodiscard]] Comparison compare_written(const torch::jit::Module& other) const;

 private:
  struct Entry {
    c10::IValue before;             ///< a tensor itself, a copy of anything else
    file::Fingerprint fingerprint;  ///< of a tensor
  };

  torch::jit::Module module_;
  std::map<std::string, Entry> entries_;
};

/// Where a written file holds something else than the original, bit by bit, in what both have: "running_mean differs ...";
/// empty where it does not. `made_new`: attributes, and modules with all below them, that were made anew.
std::string changed_state(const torch::jit::Module& original, const torch::jit::Module& written,
                          const std::set<std::string>& made_new);

}  // namespace fusekit::gate
