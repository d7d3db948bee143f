#include "file/regular_file.h"

#include <unistd.h>

#include <fstream>
#include <system_error>

#include "fusekit/error.h"

namespace fusekit::file {

namespace fs = std::filesystem;

void check_regular_file(const fs::path& path) {
  const auto fail = [&path](const std::string& what, const std::string& hint) {
    throw Error(ErrorKind::file, fmt::format("{}: {}", path.empty() ? "\"\"" : path.string(), what), hint);
  };
  std::error_code problem;
  const fs::file_status status = fs::status(path, problem);
  if (status.type() == fs::file_type::not_found) fail("no such file", "check the path");
  if (problem) fail(problem.message(), "check the path and its permissions");
  if (fs::is_directory(status)) fail("is a folder", "give the file in it");
  if (!fs::is_regular_file(status))
    fail("is not a regular file", "devices, pipes and sockets are not read: give a file");
  if (access(path.c_str(), R_OK) != 0)
    fail(std::error_code(errno, std::generic_category()).message(), "check the file's permissions");
  if (fs::file_size(path) == 0) fail("is empty", "copy or write it again");
}

std::string first_bytes(const fs::path& path, std::size_t count) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(count, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

}  // namespace fusekit::file
