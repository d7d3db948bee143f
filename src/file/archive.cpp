#include "file/archive.h"

#include <zip.h>

#include <algorithm>
#include <functional>

#include "fusekit/error.h"

namespace fusekit::file {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kChunk = 1 << 20;
// Source code and pickles pack 3 to 30 times; deflate's limit is 1032. What packs better than this is made to hurt.
constexpr std::uint64_t kLargestRatio = 200;
constexpr std::uint64_t kHarmless = 64 << 20;

Error damaged(const fs::path& path, const std::string& what) {
  return {ErrorKind::file, path.string() + ": " + what, "the file is damaged or cut short: copy or download it again"};
}

zip* open(const fs::path& path) {
  int code = 0;
  if (zip* opened = zip_open(path.c_str(), ZIP_RDONLY, &code)) return opened;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  const bool cut = code == ZIP_ER_NOZIP;
  throw damaged(path, cut ? "begins as a zip archive, but its directory at the end is missing" : reason);
}

std::string common_folder(const std::vector<Archive::Record>& records) {
  if (records.empty()) return {};
  const std::string& first = records.front().name;
  const auto slash = first.find('/');
  if (slash == std::string::npos) return {};
  const std::string folder = first.substr(0, slash + 1);
  const bool shared = std::ranges::all_of(records, [&](const auto& record) { return record.name.starts_with(folder); });
  return shared ? folder : std::string();
}

/// Hands the record's bytes over in pieces; libzip compares the CRC-32 at the end.
void read_record(zip* archive, std::uint64_t index, const Archive::Record& record, const fs::path& path,
                 const std::function<void(const char*, std::size_t)>& use) {
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen_index(archive, index, 0), zip_fclose);
  if (!file) throw damaged(path, fmt::format("the record {} can't be opened: {}", record.name, zip_strerror(archive)));
  std::vector<char> buffer(std::min(record.size + 1, kChunk));
  std::uint64_t total = 0;
  for (;;) {
    const zip_int64_t got = zip_fread(file.get(), buffer.data(), buffer.size());
    if (got < 0)
      throw damaged(path, fmt::format("the record {} is damaged: {}", record.name, zip_file_strerror(file.get())));
    if (got == 0) break;
    total += static_cast<std::uint64_t>(got);
    if (total > record.size) break;
    use(buffer.data(), static_cast<std::size_t>(got));
  }
  if (total != record.size)
    throw damaged(path, fmt::format("the record {} has not the {} bytes that the archive's directory gives it",
                                    record.name, record.size));
}

}  // namespace

Archive::Archive(const fs::path& path) : path_(path), zip_(open(path), [](zip* opened) { zip_discard(opened); }) {
  const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
  for (zip_int64_t k = 0; k < count; ++k) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(zip_.get(), static_cast<zip_uint64_t>(k), 0, &stat) != 0)
      throw damaged(path, "its directory can't be read");
    records_.push_back({stat.name, stat.size, stat.comp_size, stat.crc});
  }
  top_ = common_folder(records_);
  check_sizes();
}

bool Archive::has(const std::string& name) const {
  const std::string full = top_ + name;
  return std::ranges::any_of(records_, [&](const Record& record) {
    return full.ends_with('/') ? record.name.starts_with(full) : record.name == full;
  });
}

std::string Archive::read(const std::string& name) const {
  std::string bytes;
  for (std::size_t k = 0; k < records_.size(); ++k) {
    if (records_[k].name != top_ + name) continue;
    read_record(zip_.get(), k, records_[k], path_,
                [&](const char* data, std::size_t size) { bytes.append(data, size); });
    return bytes;
  }
  throw damaged(path_, "has no record " + name);
}

void Archive::check_sizes() const {
  const std::uint64_t file_size = fs::file_size(path_);
  for (const Record& record : records_) {
    if (record.compressed > file_size)
      throw damaged(path_, fmt::format("the record {} is said to be larger than the file", record.name));
    if (record.size > kHarmless && record.size / kLargestRatio > record.compressed)
      throw Error(ErrorKind::file,
                  fmt::format("{}: the record {} unpacks from {} to {} bytes, which no network does", path_.string(),
                              record.name, record.compressed, record.size),
                  "FuseKit does not open archives that are made to fill the memory");
  }
}

void Archive::check_bytes() const {
  for (std::size_t k = 0; k < records_.size(); ++k)
    if (records_[k].crc != 0) read_record(zip_.get(), k, records_[k], path_, [](const char*, std::size_t) {});
}

}  // namespace fusekit::file
