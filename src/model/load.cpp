#include "model/load.h"

#include "fusekit/error.h"

namespace fusekit::model {

Loaded load(const std::filesystem::path& path) {
  Loaded loaded;
  try {
    loaded.module = torch::jit::load(path.string(), at::kCPU, loaded.extra);
  } catch (const std::exception& error) {
    throw Error(ErrorKind::file, fmt::format("{}: {}", path.string(), error.what()));
  }
  return loaded;
}

}  // namespace fusekit::model
