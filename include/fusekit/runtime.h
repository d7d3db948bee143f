#pragma once

#include <string>
#include <vector>

namespace fusekit {

/// Process-wide switches of LibTorch, the same for every command that runs a model.
struct RuntimeOptions {
  int threads = 0;              ///< intra-op threads; 0: LibTorch's default
  std::string engine = "auto";  ///< quantized engine: auto (LibTorch's default), onednn, x86, fbgemm, qnnpack
  std::vector<std::string> libraries = {};  ///< for load_libraries
};

/// Error{usage} for a negative thread count, an unknown engine or a library that can't be loaded; Error{unsupported} for
/// an engine that this LibTorch lacks (the hint names those it has).
void apply(const RuntimeOptions& options);

/// Shared libraries that bring operators or classes of their own (TORCH_LIBRARY), as Python's torch.ops.load_library takes
/// them: torchvision's _C.so has torchvision::nms. A file's path, or a name that the dynamic linker finds. They stay
/// loaded. Error{usage}.
void load_libraries(const std::vector<std::string>& libraries);

/// The quantized engines that this LibTorch has, e.g. {"qnnpack", "onednn", "x86", "fbgemm"}.
std::vector<std::string> quantized_engines();

}  // namespace fusekit
