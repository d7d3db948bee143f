#include "file/archive.h"

#include <zip.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>

#include "file/archive_end.h"
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

Error misleading(const fs::path& path, const std::string& what) {
  return {ErrorKind::file, path.string() + ": " + what,
          "no writer of TorchScript files does this: the file is made to mislead"};
}

/// What was made to fill the memory.
void check_ratio(const fs::path& path, const std::string& what, std::uint64_t compressed, std::uint64_t size) {
  if (size <= kHarmless || size / kLargestRatio <= compressed) return;
  throw Error(
      ErrorKind::file,
      fmt::format("{}: {} unpacks from {} to {} bytes, which no network does", path.string(), what, compressed, size),
      "FuseKit does not open archives that are made to fill the memory");
}

std::string printable(const std::string& name) {
  std::string text;
  for (const char c : name) text += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  return text;
}

/// Why a record can't have this name; empty where it can. Folders end with a slash.
std::string problem_of_name(const std::string& name) {
  if (name.empty() || printable(name) != name) return "has control characters or nothing for a name";
  if (name.front() == '/' || name.find('\\') != std::string::npos) return "has a name that is no relative path";
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = std::string_view(name).substr(begin, end - begin);
    if (part == "..") return "has a name that leads out of the archive";
    begin = end + 1;
  }
  return {};
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

/// Hands the record's bytes over in pieces; libzip compares the CRC-32 at the end, unless the archive `has_no_crc`.
void read_record(zip* archive, std::uint64_t index, const Archive::Record& record, const fs::path& path,
                 bool has_no_crc, const std::function<void(const char*, std::size_t)>& use) {
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen_index(archive, index, 0), zip_fclose);
  if (!file) throw damaged(path, fmt::format("the record {} can't be opened: {}", record.name, zip_strerror(archive)));
  std::vector<char> buffer(std::min(record.size + 1, kChunk));
  std::uint64_t total = 0;
  for (;;) {
    const zip_int64_t got = zip_fread(file.get(), buffer.data(), buffer.size());
    if (got < 0 && has_no_crc && zip_error_code_zip(zip_file_get_error(file.get())) == ZIP_ER_CRC) break;
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

std::string in_lower_case(std::string name) {
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return name;
}

Archive::Archive(const fs::path& path) : path_(path), zip_(open(path), [](zip* opened) { zip_discard(opened); }) {
  const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
  for (zip_int64_t k = 0; k < count; ++k) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    // Raw, as LibTorch has them: libzip would show control characters as signs.
    if (zip_stat_index(zip_.get(), static_cast<zip_uint64_t>(k), ZIP_FL_ENC_RAW, &stat) != 0)
      throw damaged(path, "its directory can't be read");
    places_.emplace(stat.name, records_.size());
    places_in_lower_case_.emplace(in_lower_case(stat.name), records_.size());
    records_.push_back({stat.name, stat.size, stat.comp_size, stat.crc});
  }
  top_ = common_folder(records_);
  // A writer that computes no CRC-32 leaves all of them 0. Where others are given, a 0 is one, too.
  has_no_crc_ = std::ranges::all_of(records_, [](const Record& record) { return record.crc == 0; });
  check_archive_end(path);
  check_names();
  check_sizes();
}

bool Archive::has(const std::string& name) const {
  const std::string full = top_ + name;
  if (!full.ends_with('/')) return places_.contains(full);
  return std::ranges::any_of(records_, [&](const Record& record) { return record.name.starts_with(full); });
}

const Archive::Record* Archive::find(const std::string& name) const {
  const auto found = places_in_lower_case_.find(in_lower_case(top_ + name));
  return found == places_in_lower_case_.end() ? nullptr : &records_[found->second];
}

std::string Archive::read(const std::string& name) const {
  const auto found = places_.find(top_ + name);
  if (found == places_.end()) throw damaged(path_, "has no record " + name);
  std::string bytes;
  read_record(zip_.get(), found->second, records_[found->second], path_, has_no_crc_,
              [&](const char* data, std::size_t size) { bytes.append(data, size); });
  return bytes;
}

void Archive::check_names() const {
  std::set<std::string> names;
  for (const Record& record : records_) {
    if (const std::string problem = problem_of_name(record.name); !problem.empty())
      throw misleading(path_, fmt::format("the record \"{}\" {}", printable(record.name), problem));
    // LibTorch takes "data/A" for "data/a"; source files may be called after classes that differ in case alone.
    const bool is_code = record.name.starts_with(top_ + "code/");
    if (!names.insert(is_code ? record.name : in_lower_case(record.name)).second)
      throw misleading(path_, fmt::format("there are two records {}", printable(record.name)));
  }
}

void Archive::check_sizes() const {
  const std::uint64_t file_size = fs::file_size(path_);
  std::uint64_t size = 0;
  std::uint64_t compressed = 0;
  for (const Record& record : records_) {
    if (record.compressed > file_size)
      throw damaged(path_, fmt::format("the record {} is said to be larger than the file", record.name));
    check_ratio(path_, "the record " + record.name, record.compressed, record.size);
    if (__builtin_add_overflow(size, record.size, &size)) throw damaged(path_, "its records have no possible size");
    compressed += record.compressed;
  }
  check_ratio(path_, "it", std::min(compressed, file_size), size);
}

void Archive::check_bytes() const {
  if (has_no_crc_) return;
  for (std::size_t k = 0; k < records_.size(); ++k)
    read_record(zip_.get(), k, records_[k], path_, has_no_crc_, [](const char*, std::size_t) {});
}

}  // namespace fusekit::file
