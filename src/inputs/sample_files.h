#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace fusekit::inputs {

enum class SampleKind { picture, tensors };

struct SampleFile {
  std::filesystem::path path;
  std::string name;  ///< for people: starts with the given folder's or file's own name
  SampleKind kind = SampleKind::tensors;
};

struct SampleFiles {
  std::vector<SampleFile> files;
  std::size_t ignored = 0;  ///< files in folders whose names don't end as a sample's does
};

/// What CalibrationOptions::paths stands for. Links to folders are followed, and each folder is read once. Every file is
/// opened, and its kind is what it holds, whatever its name. Error{file}: see Samples.
SampleFiles find_sample_files(const std::vector<std::filesystem::path>& paths);

}  // namespace fusekit::inputs
