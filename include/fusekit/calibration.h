#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "fusekit/inputs.h"

namespace fusekit {

/// How a picture becomes a tensor. The defaults are torchvision's for networks trained on ImageNet, and the result is
/// that of its ImageFolder loader followed by Resize, CenterCrop, ToTensor and Normalize.
struct PictureOptions {
  /// Pixels of the shorter side after resizing (bilinear with antialiasing, as Pillow does it; the aspect ratio is
  /// kept). 0: the picture keeps its size.
  std::int64_t resize = 256;
  /// Side in pixels of the square cut from the centre; a smaller picture gets a black border. 0: nothing is cut.
  std::int64_t crop = 224;
  /// Each channel's value v in [0,1] becomes (v - mean) / std. Three values each for red, green and blue; one value each
  /// makes the pictures grey, with one channel.
  std::vector<double> mean{0.485, 0.456, 0.406};
  std::vector<double> std{0.229, 0.224, 0.225};
};

/// The data that a network's activations are observed on.
struct CalibrationOptions {
  /// Files: whatever InputOptions::file may be, and pictures (PNG, JPEG), told apart by what is in them. Folders: all
  /// *.pt, *.npy, *.npz, *.png, *.jpg and *.jpeg in them and below, sorted by name, hidden ones and other files left out;
  /// a folder holds either pictures or tensors.
  std::vector<std::filesystem::path> paths;
  PictureOptions pictures;
  /// So many random samples, drawn for `inputs`. Only without `paths`.
  int random = 0;
  /// Of random samples; where no dims are given, they are worked out of the graph. `file` is not used.
  InputOptions inputs;
  /// At most so many samples, spread evenly over all; 0: all.
  std::size_t limit = 0;
};

}  // namespace fusekit
