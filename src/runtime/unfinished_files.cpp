#include "runtime/unfinished_files.h"

#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace fusekit::runtime {
namespace {

struct UnfinishedFiles {
  std::mutex mutex;
  std::vector<std::filesystem::path> files;
};

/// Never destroyed: a process may end while a file is being written.
UnfinishedFiles& unfinished() {
  static auto* const all = new UnfinishedFiles;
  return *all;
}

}  // namespace

void remember_unfinished(const std::filesystem::path& file) {
  const std::lock_guard lock(unfinished().mutex);
  unfinished().files.push_back(file);
}

void forget_unfinished(const std::filesystem::path& file) {
  const std::lock_guard lock(unfinished().mutex);
  std::erase(unfinished().files, file);
}

void remove_unfinished() {
  const std::lock_guard lock(unfinished().mutex);
  for (const std::filesystem::path& file : unfinished().files) unlink(file.c_str());
  unfinished().files.clear();
}

}  // namespace fusekit::runtime
