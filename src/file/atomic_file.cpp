#include "file/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>

#include "fusekit/error.h"
#include "runtime/followed_link.h"
#include "runtime/unfinished_files.h"

namespace fusekit::file {
namespace {

constexpr mode_t kNewMode = 0666;      // less the umask
constexpr mode_t kPrivateMode = 0600;  // until it gets the mode of the file that it replaces
constexpr mode_t kPermissions = 07777;
constexpr int kNameTries = 100;
constexpr const char* kHiddenName = ".fusekit-{:08x}";  // short, whatever the output is called

/// Never a standard stream: where whoever started the program closed one, what is printed would end in the file.
int above_standard_streams(int descriptor) {
  if (descriptor < 0 || descriptor > STDERR_FILENO) return descriptor;
  const int higher = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int problem = errno;
  close(descriptor);
  errno = problem;
  return higher;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path output)
    : output_(runtime::followed(std::move(output))), folder_(output_.parent_path()) {
  if (folder_.empty()) folder_ = ".";
  runtime::remove_abandoned(folder_);
  std::error_code ignored;
  const mode_t mode = std::filesystem::exists(output_, ignored) ? kPrivateMode : kNewMode;
  descriptor_ = above_standard_streams(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
  if (descriptor_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    descriptor_ = above_standard_streams(with_hidden_name([mode](const std::filesystem::path& name) {
      return ::open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode);
    }));
  }
  if (descriptor_ < 0) fail("can't be written", errno);
  flock(descriptor_, LOCK_EX | LOCK_NB);  // where the file system has no locks, its age protects it
}

AtomicFile::~AtomicFile() {
  if (!named_.empty()) unlink(named_.c_str());
  forget_name();
  if (descriptor_ >= 0) close(descriptor_);
}

void AtomicFile::append(const void* bytes, std::size_t size) noexcept {
  const char* next = static_cast<const char*>(bytes);
  while (size > 0 && error_ == 0) {
    const ssize_t written = ::write(descriptor_, next, size);
    if (written < 0) {
      if (errno != EINTR) error_ = errno;
      continue;
    }
    next += written;
    size -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::finish() {
  if (error_ == 0 && fsync(descriptor_) != 0) error_ = errno;
  if (error_ != 0) fail("can't be written", error_);
}

std::filesystem::path AtomicFile::readable_path() const {
  if (!named_.empty()) return named_;
  return fmt::format("/proc/{}/fd/{}", getpid(), descriptor_);
}

void AtomicFile::publish(bool replace) {
  if (replace) take_owner_and_mode();
  if (named_.empty()) {
    const auto link = [unnamed = readable_path()](const std::filesystem::path& name) {
      return linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW);
    };
    // linkat never replaces, so an existing output needs a hidden name and a rename.
    if ((replace ? with_hidden_name(link) : link(output_)) != 0) fail("can't be written", errno);
  }
  if (!named_.empty()) {
    if ((replace ? renameat2(AT_FDCWD, named_.c_str(), AT_FDCWD, output_.c_str(), 0) : rename_to_new()) != 0)
      fail("can't be written", errno);
    forget_name();
  }
  const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
}

/// Never replaces. Some file systems (NFS, 9p) know no such rename, but links.
int AtomicFile::rename_to_new() const {
  const int result = renameat2(AT_FDCWD, named_.c_str(), AT_FDCWD, output_.c_str(), RENAME_NOREPLACE);
  if (result == 0 || errno != EINVAL) return result;
  if (link(named_.c_str(), output_.c_str()) != 0) return -1;
  return unlink(named_.c_str());
}

void AtomicFile::fail(const std::string& what, int error) const {
  const char* hint = "";
  if (error == ENOENT || error == ENOTDIR) hint = "make its folder first, e.g. with mkdir -p, or give another one";
  if (error == ENOSPC || error == EDQUOT) hint = "free some space or write to another disk";
  if (error == EACCES || error == EROFS || error == EPERM) hint = "choose a folder that you may write to";
  if (error == ENAMETOOLONG) hint = "give a shorter name";
  if (error == EEXIST) hint = "give WriteOptions::force to replace it";
  throw Error(ErrorKind::file, fmt::format("{} {}: {}", output_.string(), what, std::strerror(error)), hint);
}

/// Those of the file that is replaced: its owner where this user may give files away, its permissions always.
void AtomicFile::take_owner_and_mode() {
  struct stat before {};
  if (stat(output_.c_str(), &before) != 0) return;
  if (fchown(descriptor_, before.st_uid, before.st_gid) != 0)  // as a whole only root may
    static_cast<void>(fchown(descriptor_, static_cast<uid_t>(-1), before.st_gid));
  fchmod(descriptor_, before.st_mode & kPermissions);  // after the owner, whose change takes set-user-ID away
}

int AtomicFile::with_hidden_name(const std::function<int(const std::filesystem::path&)>& make) {
  std::random_device random;
  int result = -1;
  for (int k = 0; k < kNameTries; ++k) {
    named_ = folder_ / fmt::format(kHiddenName, random());
    runtime::remember_unfinished(named_);
    result = make(named_);
    if (result >= 0) break;
    const int problem = errno;
    forget_name();
    errno = problem;
    if (problem != EEXIST) break;
  }
  return result;
}

void AtomicFile::forget_name() {
  if (!named_.empty()) runtime::forget_unfinished(named_);
  named_.clear();
}

}  // namespace fusekit::file
