#include "inputs/sample_files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "file/regular_file.h"
#include "fusekit/error.h"
#include "inputs/pictures/picture.h"

namespace fusekit::inputs {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 6> kEndings{".pt", ".npy", ".npz", ".png", ".jpg", ".jpeg"};
constexpr const char* kWhatIsRead = ".pt, .npy, .npz, .png and .jpg files are read";

bool has_sample_ending(const fs::path& path) {
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(kEndings, ending) != kEndings.end();
}

/// Decides by the first bytes; a .pt or .npz file is checked when it is read.
SampleKind kind_of(const fs::path& path) {
  file::check_regular_file(path);
  const std::string start = file::first_bytes(path, 8);
  return format_of(start) ? SampleKind::picture : SampleKind::tensors;
}

std::vector<fs::directory_entry> sorted_entries(const fs::path& folder) {
  std::error_code problem;
  std::vector<fs::directory_entry> entries;
  fs::directory_iterator entry(folder, problem);
  for (const fs::directory_iterator end; !problem && entry != end; entry.increment(problem)) entries.push_back(*entry);
  if (problem)
    throw Error(ErrorKind::file, fmt::format("{}: {}", folder.string(), problem.message()),
                "check the folder and its permissions");
  std::ranges::sort(entries, {}, [](const fs::directory_entry& e) { return e.path().filename().string(); });
  return entries;
}

/// Collects the files of one given folder.
class Folder {
 public:
  Folder(const fs::path& path, SampleFiles& found) : found_(found) {
    const fs::path own_name = path.has_filename() ? path.filename() : path.parent_path().filename();
    const std::size_t before = found.files.size();
    const std::size_t ignored_before = found.ignored;
    read(path, own_name);
    if (found.files.size() == before)
      throw Error(
          ErrorKind::file,
          fmt::format(
              "{}: holds no sample{}", path.string(),
              found.ignored > ignored_before ? fmt::format(" among its {} files", found.ignored - ignored_before) : ""),
          kWhatIsRead);
    check_one_kind(path, before);
  }

 private:
  void read(const fs::path& folder, const fs::path& name) {
    std::error_code problem;
    if (!seen_.insert(fs::canonical(folder, problem)).second) return;  // links may form a cycle
    for (const fs::directory_entry& entry : sorted_entries(folder)) {
      const fs::path file = entry.path().filename();
      if (file.string().starts_with('.')) continue;
      if (entry.is_directory(problem)) {
        read(entry.path(), name / file);
      } else if (has_sample_ending(file)) {
        found_.files.push_back({entry.path(), (name / file).string(), kind_of(entry.path())});
      } else {
        ++found_.ignored;
      }
    }
  }

  void check_one_kind(const fs::path& path, std::size_t begin) const {
    const auto first = found_.files.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto other =
        std::find_if(first, found_.files.end(), [&](const auto& file) { return file.kind != first->kind; });
    if (other == found_.files.end()) return;
    const auto& [picture, tensors] =
        first->kind == SampleKind::picture ? std::tie(*first, *other) : std::tie(*other, *first);
    throw Error(ErrorKind::file,
                fmt::format("{}: mixes pictures ({}) with tensors ({})", path.string(), picture.name, tensors.name),
                "give a folder of one kind, or name the files one by one");
  }

  SampleFiles& found_;
  std::set<fs::path> seen_;
};

}  // namespace

SampleFiles find_sample_files(const std::vector<fs::path>& paths) {
  SampleFiles found;
  for (const fs::path& path : paths) {
    std::error_code problem;
    if (fs::is_directory(path, problem))
      Folder(path, found);
    else
      found.files.push_back({path, path.filename().string(), kind_of(path)});
  }
  return found;
}

}  // namespace fusekit::inputs
