#include "tune/scratch_folder.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "fusekit/error.h"

namespace fusekit::tuning {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder(const fs::path& output) {
  const fs::path folder = output.has_parent_path() ? output.parent_path() : fs::path(".");
  std::string name = (folder / ".fusekit-tune-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw Error(ErrorKind::file, fmt::format("{}: {}", folder.string(), std::strerror(errno)),
                "the candidates are written beside the output");
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace fusekit::tuning
