#include <png.h>

#include <csetjmp>
#include <cstring>

#include "fusekit/error.h"
#include "inputs/pictures/picture.h"

namespace fusekit::inputs {
namespace {

/// As in decode_jpeg.cpp: libpng's C frames are left by longjmp, with nothing alive in between that has a destructor.
struct PngFailure {
  char message[200]{};
  std::jmp_buf back{};
};

[[noreturn]] void stop(png_structp png, png_const_charp message) {
  auto* failure = static_cast<PngFailure*>(png_get_error_ptr(png));
  std::strncpy(failure->message, message, sizeof failure->message - 1);
  std::longjmp(failure->back, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep out, std::size_t count) {
  auto* rest = static_cast<std::string_view*>(png_get_io_ptr(png));
  if (rest->size() < count) png_error(png, "it ends too early");
  std::memcpy(out, rest->data(), count);
  rest->remove_prefix(count);
}

class PngDecoder {
 public:
  explicit PngDecoder(std::string_view bytes)
      : rest_(bytes), png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, &failure_, stop, ignore_warning)) {
    if (png_) info_ = png_create_info_struct(png_);
  }
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  [[nodiscard]] bool read_header() {
    if (!png_ || !info_) return false;
    if (setjmp(failure_.back)) return false;
    png_set_read_fn(png_, &rest_, read_bytes);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // the caller judges the size
    png_set_chunk_malloc_max(png_, 8'000'000);  // no text or profile may unpack into more: what is longer is skipped
    png_read_info(png_, info_);
    return true;
  }

  /// Asks for 8 bits of red, green and blue (16-bit grey stays what it is), and takes memory for two rows.
  [[nodiscard]] bool set_form() {
    if (setjmp(failure_.back)) return false;
    const int color = png_get_color_type(png_, info_);
    wide_grey_ = color == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png_, info_) == 16;
    if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if (!(color & PNG_COLOR_MASK_COLOR) && !wide_grey_) {
      png_set_expand_gray_1_2_4_to_8(png_);
      png_set_gray_to_rgb(png_);
    }
    if (!wide_grey_) png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  /// `pixels`: rows of row_bytes().
  [[nodiscard]] bool read_pixels(std::uint8_t* pixels) {
    if (setjmp(failure_.back)) return false;
    const std::size_t stride = row_bytes();
    const std::size_t rows = height();
    for (int pass = 0; pass < passes_; ++pass)
      for (std::size_t y = 0; y < rows; ++y) png_read_row(png_, pixels + y * stride, nullptr);
    return true;
  }

  [[nodiscard]] std::size_t width() const { return png_get_image_width(png_, info_); }
  [[nodiscard]] std::size_t height() const { return png_get_image_height(png_, info_); }
  [[nodiscard]] std::size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  [[nodiscard]] bool wide_grey() const { return wide_grey_; }
  [[nodiscard]] const char* message() const { return failure_.message; }

 private:
  std::string_view rest_;
  PngFailure failure_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  bool wide_grey_ = false;
};

/// Pillow takes 16-bit grey as integers and cuts them off at 255; so what it makes of them is white mostly.
Picture from_wide_grey(const Picture& wide) {
  Picture rgb = Picture::of_size(wide.width, wide.height, 3);
  for (std::int64_t k = 0; k < wide.width * wide.height; ++k) {
    const std::uint8_t* in = wide.bytes.get() + 2 * k;
    std::fill_n(rgb.bytes.get() + 3 * k, 3, in[0] == 0 ? in[1] : std::uint8_t{255});
  }
  return rgb;
}

}  // namespace

Picture decode_png(std::string_view bytes, const std::string& where) {
  PngDecoder decoder(bytes);
  if (!decoder.read_header()) throw damaged_picture(where, "PNG", decoder.message());
  const auto width = static_cast<std::int64_t>(decoder.width());
  const auto height = static_cast<std::int64_t>(decoder.height());
  check_picture_size(width, height, where);
  if (!decoder.set_form()) throw damaged_picture(where, "PNG", decoder.message());
  const std::int64_t channels = decoder.wide_grey() ? 2 : 3;
  if (decoder.row_bytes() != static_cast<std::size_t>(width * channels))
    throw damaged_picture(where, "PNG", "its form is unknown");
  Picture picture = Picture::of_size(width, height, channels);
  if (!decoder.read_pixels(picture.bytes.get())) throw damaged_picture(where, "PNG", decoder.message());
  return decoder.wide_grey() ? from_wide_grey(picture) : std::move(picture);
}

}  // namespace fusekit::inputs
