#include "support/synced_files.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <utility>

namespace fusekit::test {
namespace {

using FileId = std::pair<dev_t, ino_t>;

std::mutex synced_guard;
bool taking_notes = false;

std::set<FileId>& synced() {
  static std::set<FileId> files;
  return files;
}

void note(int descriptor) {
  struct stat facts {};
  const std::lock_guard lock(synced_guard);
  if (taking_notes && fstat(descriptor, &facts) == 0) synced().insert({facts.st_dev, facts.st_ino});
}

}  // namespace

SyncedFiles::SyncedFiles() {
  const std::lock_guard lock(synced_guard);
  synced().clear();
  taking_notes = true;
}

SyncedFiles::~SyncedFiles() {
  const std::lock_guard lock(synced_guard);
  taking_notes = false;
}

bool SyncedFiles::has(const std::filesystem::path& path) const {
  struct stat facts {};
  const std::lock_guard lock(synced_guard);
  return stat(path.c_str(), &facts) == 0 && synced().count({facts.st_dev, facts.st_ino}) > 0;
}

}  // namespace fusekit::test

/// Stands in for the C library's in this program.
extern "C" int fsync(int descriptor) {
  fusekit::test::note(descriptor);
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}
