#include "inputs/pictures/pictures.h"

#include <ATen/Functions.h>

#include <array>
#include <cmath>
#include <fstream>

#include "file/regular_file.h"
#include "fusekit/error.h"
#include "inputs/pictures/picture.h"
#include "inputs/pictures/resample.h"

namespace fusekit::inputs {
namespace {

constexpr std::int64_t kLargestSide = 16384;

std::string contents_of(const std::filesystem::path& path) {
  file::check_regular_file(path);
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
    throw Error(ErrorKind::file, path.string() + ": can't be read", "check the file and its permissions");
  return bytes;
}

/// ITU-R BT.601's luma in 16 bits, as Pillow rounds it.
Picture grey(const Picture& rgb) {
  Picture out = Picture::of_size(rgb.width, rgb.height, 1);
  for (std::int64_t k = 0; k < rgb.width * rgb.height; ++k) {
    const std::uint8_t* in = rgb.bytes.get() + 3 * k;
    out.bytes[static_cast<std::size_t>(k)] =
        static_cast<std::uint8_t>((in[0] * 19595 + in[1] * 38470 + in[2] * 7471 + 0x8000) >> 16);
  }
  return out;
}

/// The size after torchvision's Resize with one number.
std::pair<std::int64_t, std::int64_t> resized(const Picture& picture, std::int64_t shorter, const std::string& where) {
  if (shorter == 0) return {picture.width, picture.height};
  const auto [low, high] = std::minmax(picture.width, picture.height);
  const std::int64_t longer = shorter * high / low;
  if (longer > 64 * kLargestSide)
    throw Error(
        ErrorKind::file,
        fmt::format("{}: its {}x{} pixels would become {}x{}", where, picture.width, picture.height, shorter, longer),
        "leave it out, or give another PictureOptions::resize");
  return picture.width <= picture.height ? std::pair{shorter, longer} : std::pair{longer, shorter};
}

/// Where a centred crop begins; negative where a border is added. Python's round() rounds halves to even.
std::int64_t start_of(std::int64_t size, std::int64_t crop) {
  if (crop > size) return -((crop - size) / 2);
  return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(size - crop) / 2));
}

/// The result of ToTensor and Normalize for each byte, computed in float as they do.
std::array<float, 256> table_of(double mean, double std) {
  std::array<float, 256> table{};
  for (int k = 0; k < 256; ++k) {
    const float value = static_cast<float>(k) / 255.0F;
    table[static_cast<std::size_t>(k)] = (value - static_cast<float>(mean)) / static_cast<float>(std);
  }
  return table;
}

/// `picture` as planes of floats, at (left, top) of a black tensor of size height x width.
at::Tensor normalized(const Picture& picture, const Box& place, const PictureOptions& options) {
  at::Tensor out = at::empty({1, picture.channels, place.height, place.width}, at::kFloat);
  for (std::int64_t c = 0; c < picture.channels; ++c) {
    const auto table = table_of(options.mean[static_cast<std::size_t>(c)], options.std[static_cast<std::size_t>(c)]);
    float* plane = out.data_ptr<float>() + c * place.height * place.width;
    if (picture.height < place.height || picture.width < place.width)
      std::fill_n(plane, place.height * place.width, table[0]);
    for (std::int64_t y = 0; y < picture.height; ++y) {
      const std::uint8_t* in = picture.row(y) + c;
      float* row = plane + (place.top + y) * place.width + place.left;
      for (std::int64_t x = 0; x < picture.width; ++x) row[x] = table[in[x * picture.channels]];
    }
  }
  return out;
}

}  // namespace

void check_picture_options(const PictureOptions& options) {
  const auto check_side = [](const char* name, std::int64_t value) {
    if (value < 0 || value > kLargestSide)
      throw Error(ErrorKind::usage, fmt::format("PictureOptions::{} = {} is no size", name, value),
                  fmt::format("give pixels, at most {}, or 0 for none", kLargestSide));
  };
  check_side("resize", options.resize);
  check_side("crop", options.crop);
  if ((options.mean.size() != 1 && options.mean.size() != 3) || options.mean.size() != options.std.size())
    throw Error(ErrorKind::usage,
                fmt::format("PictureOptions::mean has {} values and PictureOptions::std {}", options.mean.size(),
                            options.std.size()),
                "give three values each for red, green and blue, or one each for grey pictures");
  const auto finite = [](double value) { return std::isfinite(static_cast<float>(value)); };
  for (std::size_t c = 0; c < options.mean.size(); ++c)
    if (!finite(options.mean[c]) || !finite(options.std[c]) || static_cast<float>(options.std[c]) == 0)
      throw Error(ErrorKind::usage,
                  fmt::format("PictureOptions::mean = {} PictureOptions::std = {} can't be computed with",
                              options.mean[c], options.std[c]),
                  "give finite numbers, and a std other than 0");
}

at::Tensor load_picture(const std::filesystem::path& path, const PictureOptions& options) {
  check_picture_options(options);
  const std::string where = path.string();
  Picture picture = decode_picture(contents_of(path), where);
  if (options.mean.size() == 1) picture = grey(picture);

  const auto [width, height] = resized(picture, options.resize, where);
  const std::int64_t out_width = options.crop == 0 ? width : options.crop;
  const std::int64_t out_height = options.crop == 0 ? height : options.crop;
  const std::int64_t left = start_of(width, out_width);
  const std::int64_t top = start_of(height, out_height);
  const Box seen{std::max<std::int64_t>(left, 0), std::max<std::int64_t>(top, 0), std::min(width, out_width),
                 std::min(height, out_height)};
  return normalized(resize(picture, width, height, seen), {seen.left - left, seen.top - top, out_width, out_height},
                    options);
}

}  // namespace fusekit::inputs
