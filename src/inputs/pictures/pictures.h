#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

#include "fusekit/inputs.h"

namespace fusekit::inputs {

/// Error{usage} names a wrong option: a negative size, a std of 0, or neither one nor three values.
void check_picture_options(const PictureOptions& options);

/// A PNG or JPEG as float32 of shape [1, channels, height, width], as torchvision gives it in Python (with Pillow 9 to the
/// bit, with Pillow 13 some values differ by 1 of 255):
///   Normalize(mean, std)(ToTensor()(CenterCrop(crop)(Resize(resize)(Image.open(path).convert("RGB")))))
/// with "L" instead of "RGB" where `options` have one mean and std. As there, EXIF's orientation, colour profiles and gamma
/// are not applied, and transparency is dropped. Error{file}: no such file, no picture, a damaged one, or one of more than
/// 178,956,970 pixels, where Pillow stops, too.
at::Tensor load_picture(const std::filesystem::path& path, const PictureOptions& options);

}  // namespace fusekit::inputs
