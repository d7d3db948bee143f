#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "fusekit/inputs.h"

namespace fusekit {

/// The data that a network's activations are observed on.
struct CalibrationOptions {
  /// Files and folders, each of them whatever InputOptions::file may be, and read in the same way.
  std::vector<std::filesystem::path> paths;
  PictureOptions pictures;
  /// So many random samples, drawn for `inputs`. Only without `paths`.
  int random = 0;
  /// Of random samples; where no dims are given, they are worked out of the graph. With `paths`, dims or `batch` tell what
  /// one sample is (see InputOptions::batch). `file` and `pictures` are not used.
  InputOptions inputs;
  /// At most so many samples, spread evenly over all; 0: all.
  std::size_t limit = 0;
};

}  // namespace fusekit
