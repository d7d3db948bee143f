// Any bytes as code: the scan for its depth.
#include "file/code_depth.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fusekit::file::code_depth({reinterpret_cast<const char*>(data), size}) < 0 ? -1 : 0;
}
