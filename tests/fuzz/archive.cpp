// Any bytes as an archive: what FuseKit checks before LibTorch reads a file.
#include "file/archive.h"

#include "file/code_depth.h"
#include "file/tensor_records.h"
#include "fusekit/error.h"
#include "fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto path = fusekit::fuzz::input_file({reinterpret_cast<const char*>(data), size});
  try {
    const fusekit::file::Archive archive(path);
    archive.check_bytes();
    fusekit::file::check_code_depth(archive, path);
    fusekit::file::check_tensor_records(archive, "data.pkl", "data/", path);
  } catch (const fusekit::Error&) {
  }
  return 0;
}
