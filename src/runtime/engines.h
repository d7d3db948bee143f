#pragma once

#include <string>
#include <vector>

namespace fusekit::runtime {

/// The quantized engines that this LibTorch lists.
std::vector<std::string> listed_engines();

/// Those of `listed` that have kernels for such a CPU. x86 and fbgemm have none on ARM, but LibTorch 2.13 lists them there
/// and takes x86 where none is chosen: packing an int8 layer raises "unknown architecure".
std::vector<std::string> with_kernels(std::vector<std::string> listed, bool is_x86);

/// Where the engine in use has none, takes one that has.
void leave_engine_without_kernels();

}  // namespace fusekit::runtime
