#include "runtime/followed_link.h"

#include <fmt/format.h>

#include "fusekit/error.h"

namespace fusekit::runtime {

std::filesystem::path followed(std::filesystem::path path) {
  constexpr int most = 40;  // as Linux has it
  const std::string given = path.string();
  std::error_code error;
  for (int k = 0; std::filesystem::is_symlink(path, error); ++k) {
    if (k == most)
      throw Error(ErrorKind::file, fmt::format("{}: its symbolic links lead to each other", given),
                  "give the name of a file to be made");
    path = path.parent_path() / std::filesystem::read_symlink(path, error);
    if (error) break;
  }
  return path;
}

}  // namespace fusekit::runtime
