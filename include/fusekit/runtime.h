#pragma once

#include <string>
#include <vector>

namespace fusekit {

/// Process-wide switches of LibTorch, the same for every command that runs a model.
struct RuntimeOptions {
  int threads = 0;              ///< intra-op threads; 0: LibTorch's default
  std::string engine = "auto";  ///< quantized engine: auto (LibTorch's default), onednn, x86, fbgemm, qnnpack
};

/// Error{usage} for a negative thread count or an unknown engine; Error{unsupported} for an engine that this LibTorch
/// lacks (the hint names those it has).
void apply(const RuntimeOptions& options);

/// The quantized engines that this LibTorch has, e.g. {"qnnpack", "onednn", "x86", "fbgemm"}.
std::vector<std::string> quantized_engines();

}  // namespace fusekit
