#include "file/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fusekit/error.h"

namespace fusekit::file {
namespace {

constexpr mode_t kMode = 0666;  // less the umask

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path output) : output_(std::move(output)), folder_(output_.parent_path()) {
  if (folder_.empty()) folder_ = ".";
  descriptor_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kMode);
  if (descriptor_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    named_ = hidden_name();
    descriptor_ = ::open(named_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, kMode);
    if (descriptor_ < 0) named_.clear();
  }
  if (descriptor_ < 0) fail("can't be written", errno);
}

AtomicFile::~AtomicFile() {
  if (!named_.empty()) unlink(named_.c_str());
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
  if (named_.empty()) {
    // linkat never replaces, so an existing output needs a hidden name and a rename.
    const std::filesystem::path target = replace ? hidden_name() : output_;
    if (linkat(AT_FDCWD, readable_path().c_str(), AT_FDCWD, target.c_str(), AT_SYMLINK_FOLLOW) != 0)
      fail("can't be written", errno);
    if (replace) named_ = target;
  }
  if (!named_.empty()) {
    const unsigned flags = replace ? 0U : static_cast<unsigned>(RENAME_NOREPLACE);
    if (renameat2(AT_FDCWD, named_.c_str(), AT_FDCWD, output_.c_str(), flags) != 0) fail("can't be written", errno);
    named_.clear();
  }
  const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
}

void AtomicFile::fail(const std::string& what, int error) const {
  const char* hint = "";
  if (error == ENOENT || error == ENOTDIR) hint = "make its folder first, e.g. with mkdir -p, or give another one";
  if (error == ENOSPC || error == EDQUOT) hint = "free some space or write to another disk";
  if (error == EACCES || error == EROFS || error == EPERM) hint = "choose a folder that you may write to";
  if (error == EEXIST) hint = "give WriteOptions::force to replace it";
  throw Error(ErrorKind::file, fmt::format("{} {}: {}", output_.string(), what, std::strerror(error)), hint);
}

std::filesystem::path AtomicFile::hidden_name() const {
  return folder_ / fmt::format(".{}.fusekit-{}", output_.filename().string(), getpid());
}

}  // namespace fusekit::file
