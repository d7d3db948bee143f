#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "quantize/observe/values.h"

namespace fusekit::quantize {

/// Called with each observed tensor while a network runs: its number and the tensor (float, or what the value holds).
using See = std::function<void(int number, const at::Tensor& tensor)>;

/// A value of the graph to watch, under a number of the caller's.
struct Watch {
  int number = 0;
  Value* value = nullptr;
  std::optional<std::int64_t> channels{};  ///< so many are looked at, of more; none: all
};

/// A Program made runnable in memory, with observers at some of its values. It has a state of its own, which is the file's
/// before the first run.
class Network {
 public:
  /// `program` is taken as it is; `watches` are values of its forward.
  explicit Network(ir::Program program, const std::vector<Watch>& watches = {});

  /// Runs forward. Each watched tensor goes to `see`; int8 ones are dequantized first. What LibTorch throws becomes
  /// Error{input}.
  c10::IValue run(const std::vector<c10::IValue>& inputs, const See& see = {});

  [[nodiscard]] const torch::jit::Module& module() const { return module_; }

 private:
  torch::jit::Module module_;
  std::uint64_t runs_ = 0;
};

}  // namespace fusekit::quantize
