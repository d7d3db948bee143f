#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "fusekit/error.h"

namespace fusekit::inputs {

/// Rows from top to bottom, each of `width` pixels of `channels` bytes.
struct Picture {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t channels = 3;
  std::unique_ptr<std::uint8_t[]> bytes;

  /// Allocates the picture uninitialized. The product fits into 64 bits, because check_picture_size limits it.
  static Picture of_size(std::int64_t width, std::int64_t height, std::int64_t channels);
  [[nodiscard]] const std::uint8_t* row(std::int64_t y) const { return bytes.get() + y * width * channels; }
  [[nodiscard]] std::uint8_t* row(std::int64_t y) { return bytes.get() + y * width * channels; }
};

enum class PictureFormat { png, jpeg };

/// The format of a file that starts with these bytes (8 are enough); nullopt: not a picture.
std::optional<PictureFormat> format_of(std::string_view start);

/// The pixels of a PNG or JPEG file's bytes as Pillow's convert("RGB") gives them: grey is repeated, a palette is looked
/// up, alpha is dropped, 16 bits lose the lower 8 (but 16-bit grey is cut off at 255, as Pillow does), CMYK is multiplied
/// out. Error{file} names `where` and what is wrong.
Picture decode_picture(std::string_view bytes, const std::string& where);

/// decode_picture for one format.
Picture decode_png(std::string_view bytes, const std::string& where);
Picture decode_jpeg(std::string_view bytes, const std::string& where);

/// The error for a damaged or incomplete picture of the `format` ("PNG").
Error damaged_picture(const std::string& where, const std::string& format, const std::string& why);

/// Error{file} for a picture too large to be decoded.
void check_picture_size(std::int64_t width, std::int64_t height, const std::string& where);

}  // namespace fusekit::inputs
