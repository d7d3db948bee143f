#include "file/archive_end.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>

#include "fusekit/error.h"

namespace fusekit::file {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kEnd = 22;         // bytes of the end record, without its comment
constexpr std::uint64_t kLocator = 20;     // of zip64's locator, in front of it
constexpr std::uint64_t kEnd64 = 56;       // of zip64's end record, without extensions
constexpr std::uint64_t kEntry = 46;       // of a directory entry, without its name
constexpr std::uint64_t kComment = 65535;  // longest
constexpr std::uint32_t kEndMark = 0x06054b50;
constexpr std::uint32_t kLocatorMark = 0x07064b50;
constexpr std::uint32_t kEnd64Mark = 0x06064b50;
constexpr std::uint32_t kEntryMark = 0x02014b50;

/// A part of the file, from byte `begin` on.
struct Part {
  std::uint64_t begin = 0;
  std::string bytes;

  /// `count` bytes at `at` of the file, least significant first; 0 beyond the part.
  [[nodiscard]] std::uint64_t number(std::uint64_t at, std::size_t count) const {
    std::uint64_t value = 0;
    if (at < begin || at - begin + count > bytes.size()) return 0;
    for (std::size_t k = count; k-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at - begin + k]);
    return value;
  }
};

struct Directory {
  std::uint64_t entries = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
  std::uint64_t end = 0;  ///< where what tells of it begins
};

class EndCheck {
 public:
  explicit EndCheck(const fs::path& path) : path_(path), file_(path, std::ios::binary), size_(fs::file_size(path)) {}

  void run() {
    if (size_ < kEnd) throw misleading("has no directory");
    const Part tail = read(size_ - std::min(size_, kEnd + kComment), size_);
    const std::uint64_t end = size_ - kEnd;
    if (tail.number(end, 4) != kEndMark || tail.number(end + 20, 2) != 0)
      throw misleading("has a comment, or something else, behind its directory");
    for (std::uint64_t at = tail.begin; at < end; ++at)
      if (could_be_end(tail, at)) throw misleading("has two directories");
    check(directory_told_by(tail, end));
  }

 private:
  [[nodiscard]] Part read(std::uint64_t begin, std::uint64_t end) {
    Part part{begin, std::string(end - begin, '\0')};
    file_.clear();
    file_.seekg(static_cast<std::streamoff>(begin));
    file_.read(part.bytes.data(), static_cast<std::streamsize>(part.bytes.size()));
    if (!file_) throw Error(ErrorKind::file, path_.string() + ": can't be read", "check the disk");
    return part;
  }

  /// Weights may hold the mark by chance, and an archive that is a record has one, too: but where such say that their
  /// directory begins, counted from the beginning of this file, there is none.
  [[nodiscard]] bool could_be_end(const Part& tail, std::uint64_t at) {
    if (tail.number(at, 4) != kEndMark || at + kEnd + tail.number(at + 20, 2) > size_) return false;
    const bool is_zip64 = at >= kLocator && tail.number(at - kLocator, 4) == kLocatorMark;
    if (is_zip64) return has_mark(tail.number(at - kLocator + 8, 8), kEnd64Mark);
    return has_mark(tail.number(at + 16, 4), kEntryMark);
  }

  [[nodiscard]] bool has_mark(std::uint64_t at, std::uint32_t mark) {
    return at < size_ && size_ - at >= 4 && read(at, at + 4).number(at, 4) == mark;
  }

  [[nodiscard]] Directory directory_told_by(const Part& tail, std::uint64_t end) {
    Directory told{tail.number(end + 10, 2), tail.number(end + 12, 4), tail.number(end + 16, 4), end};
    if (end < kLocator || tail.number(end - kLocator, 4) != kLocatorMark) return told;
    const std::uint64_t at = tail.number(end - kLocator + 8, 8);
    if (end - kLocator < kEnd64 || at > end - kLocator - kEnd64)
      throw misleading("has a directory of no possible size");
    const Part record = read(at, at + kEnd64);
    if (record.number(at, 4) != kEnd64Mark) throw misleading("has no zip64 directory where it says so");
    const Directory told64{record.number(at + 32, 8), record.number(at + 40, 8), record.number(at + 48, 8), at};
    const auto agree = [](std::uint64_t small, std::uint64_t none, std::uint64_t large) {
      return small == none || small == large;
    };
    if (!agree(told.entries, 0xffff, told64.entries) || !agree(told.size, 0xffffffff, told64.size) ||
        !agree(told.offset, 0xffffffff, told64.offset))
      throw misleading("has two directories");
    return told64;
  }

  void check(const Directory& directory) {
    if (directory.offset > directory.end || directory.end - directory.offset != directory.size)
      throw misleading("has a directory that does not end where it should");
    const Part part = read(directory.offset, directory.end);
    std::uint64_t at = directory.offset;
    std::uint64_t entries = 0;
    for (; at + kEntry <= directory.end && part.number(at, 4) == kEntryMark; ++entries) {
      const std::uint64_t length = part.number(at + 28, 2);
      const std::uint64_t name = at + kEntry - directory.offset;
      if (name + length <= part.bytes.size() && part.bytes.substr(name, length).find('\0') != std::string::npos)
        throw misleading("has a record with a zero byte in its name");
      at += kEntry + length + part.number(at + 30, 2) + part.number(at + 32, 2);
    }
    if (at != directory.end || entries != directory.entries)
      throw misleading("has a directory of other records than it says");
  }

  [[nodiscard]] Error misleading(const std::string& what) const {
    return {ErrorKind::file, fmt::format("{}: {}", path_.string(), what),
            "no writer of TorchScript files does this: the file is damaged, or made to mislead"};
  }

  const fs::path& path_;
  std::ifstream file_;
  std::uint64_t size_;
};

}  // namespace

void check_archive_end(const fs::path& path) { EndCheck(path).run(); }

}  // namespace fusekit::file
