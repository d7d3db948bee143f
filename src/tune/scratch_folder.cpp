#include "tune/scratch_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "fusekit/error.h"
#include "runtime/followed_link.h"
#include "runtime/unfinished_files.h"

namespace fusekit::tuning {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder(const fs::path& output) {
  const fs::path followed = runtime::followed(output);
  const fs::path folder = followed.has_parent_path() ? followed.parent_path() : fs::path(".");
  runtime::remove_abandoned(folder);
  std::string name = (folder / ".fusekit-tune-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw Error(ErrorKind::file, fmt::format("{}: {}", folder.string(), std::strerror(errno)),
                "the candidates are written beside the output");
  path_ = name;
  runtime::remember_unfinished(path_);
  descriptor_ = open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ >= 0) flock(descriptor_, LOCK_EX | LOCK_NB);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  runtime::forget_unfinished(path_);
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace fusekit::tuning
