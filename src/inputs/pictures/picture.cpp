#include "inputs/pictures/picture.h"

#include "fusekit/error.h"

namespace fusekit::inputs {

namespace {
constexpr std::int64_t kMostPixels = 178'956'970;  // twice Pillow's Image.MAX_IMAGE_PIXELS, where it refuses
}

Picture Picture::of_size(std::int64_t width, std::int64_t height, std::int64_t channels) {
  const auto size = static_cast<std::size_t>(width * height * channels);
  return {width, height, channels, std::make_unique_for_overwrite<std::uint8_t[]>(size)};
}

std::optional<PictureFormat> format_of(std::string_view start) {
  if (start.starts_with("\x89PNG\r\n\x1a\n")) return PictureFormat::png;
  if (start.starts_with("\xff\xd8\xff")) return PictureFormat::jpeg;
  return std::nullopt;
}

Picture decode_picture(std::string_view bytes, const std::string& where) {
  const std::optional<PictureFormat> format = format_of(bytes);
  if (!format)
    throw Error(ErrorKind::file, where + ": is neither a PNG nor a JPEG picture", "convert it to PNG or JPEG");
  return *format == PictureFormat::png ? decode_png(bytes, where) : decode_jpeg(bytes, where);
}

void check_picture_size(std::int64_t width, std::int64_t height, const std::string& where) {
  if (width < 1 || height < 1)
    throw Error(ErrorKind::file, fmt::format("{}: claims to be {}x{} pixels", where, width, height), "leave it out");
  if (height > kMostPixels / width)
    throw Error(
        ErrorKind::file,
        fmt::format("{}: claims to be {}x{} pixels, more than the {} that are read", where, width, height, kMostPixels),
        "scale it down or leave it out");
}

Error damaged_picture(const std::string& where, const std::string& format, const std::string& why) {
  return {ErrorKind::file, fmt::format("{}: is no whole {} picture: {}", where, format, why),
          "replace it or leave it out"};
}

}  // namespace fusekit::inputs
