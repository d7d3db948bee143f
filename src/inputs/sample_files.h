#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace fusekit::inputs {

enum class SampleKind { picture, tensors };

struct SampleFile {
  std::filesystem::path path;
  std::string name;  ///< for messages; starts with the name of the given folder or file
  SampleKind kind = SampleKind::tensors;
};

struct SampleFiles {
  std::vector<SampleFile> files;
  std::size_t ignored = 0;  ///< files in folders whose extensions are not those of samples
};

/// The files of these paths (InputOptions::file). Links to folders are followed, and each folder is read once. Every file is
/// opened; its contents decide its kind, not its name. Error{file}: a path that can't be
/// read, a folder that holds no sample or mixes pictures with tensors.
SampleFiles find_sample_files(const std::vector<std::filesystem::path>& paths);

}  // namespace fusekit::inputs
