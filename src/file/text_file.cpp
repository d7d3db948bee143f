#include "file/text_file.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "file/atomic_file.h"
#include "fusekit/error.h"

namespace fusekit::file {

void check_text_file(const std::filesystem::path& path) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  if (path.empty() || (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)))
    throw Error(ErrorKind::file, fmt::format("'{}' can't be written: it is no regular file", path.string()),
                "give the name of a file");
  const AtomicFile unnamed(path);
}

void write_text_file(const std::filesystem::path& path, const std::string& text) {
  check_text_file(path);
  AtomicFile file(path);
  file.append(text.data(), text.size());
  file.finish();
  file.publish(/*replace=*/true);
}

std::string read_text_file(const std::filesystem::path& path, const std::string& hint) {
  std::error_code ignored;
  std::ifstream file;
  if (std::filesystem::is_regular_file(path, ignored)) file.open(path, std::ios::binary);  // a pipe would wait
  if (!file.is_open()) throw Error(ErrorKind::file, fmt::format("can't read '{}'", path.string()), hint);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace fusekit::file
