#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it

#include "fusekit/error.h"
#include "inputs/pictures/picture.h"

namespace fusekit::inputs {
namespace {

/// libjpeg's error handlers must not return, and no exception may pass through its C frames: they jump back to where the
/// library was called. Nothing with a destructor lives between the two.
struct JpegFailure {
  jpeg_error_mgr handlers{};  // first, so that libjpeg's pointer to it is a pointer to the whole
  std::jmp_buf back{};
  char message[JMSG_LENGTH_MAX]{};
};

[[noreturn]] void stop(j_common_ptr jpeg) {
  auto* failure = reinterpret_cast<JpegFailure*>(jpeg->err);
  failure->handlers.format_message(jpeg, failure->message);
  std::longjmp(failure->back, 1);
}

/// libjpeg goes on after a warning, with grey or smeared pixels where the data is damaged; that ends here, all but what
/// leaves the pixels as they are.
void warn(j_common_ptr jpeg, int level) {
  const int code = jpeg->err->msg_code;
  if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM && code != JWRN_TOO_MUCH_DATA) stop(jpeg);
}

void print_nothing(j_common_ptr) {}

/// A small file may hold thousands of scans that each go over the whole picture; encoders write about ten.
void limit_scans(j_common_ptr jpeg) {
  constexpr int most_scans = 100;
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= most_scans) return;
  auto* failure = reinterpret_cast<JpegFailure*>(jpeg->err);
  std::snprintf(failure->message, sizeof failure->message, "it has more than %d scans", most_scans);
  std::longjmp(failure->back, 1);
}

/// Owns libjpeg's state. Each step says whether it went well; `message` says why not.
class JpegDecoder {
 public:
  explicit JpegDecoder(std::string_view bytes) : bytes_(bytes) {
    jpeg_.err = jpeg_std_error(&failure_.handlers);
    failure_.handlers.error_exit = stop;
    failure_.handlers.emit_message = warn;
    failure_.handlers.output_message = print_nothing;
    progress_.progress_monitor = limit_scans;
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&jpeg_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  [[nodiscard]] bool read_header() {
    if (setjmp(failure_.back)) return false;
    jpeg_create_decompress(&jpeg_);
    jpeg_.progress = &progress_;
    jpeg_mem_src(&jpeg_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&jpeg_, TRUE);
    const bool four = jpeg_.jpeg_color_space == JCS_CMYK || jpeg_.jpeg_color_space == JCS_YCCK;
    jpeg_.out_color_space = four ? JCS_CMYK : jpeg_.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    return true;
  }

  /// `pixels`: width x height pixels of `channels()` bytes.
  [[nodiscard]] bool read_pixels(std::uint8_t* pixels) {
    if (setjmp(failure_.back)) return false;
    jpeg_start_decompress(&jpeg_);
    while (jpeg_.output_scanline < jpeg_.output_height) {
      JSAMPROW row = pixels + std::size_t{jpeg_.output_scanline} * jpeg_.output_width * channels();
      jpeg_read_scanlines(&jpeg_, &row, 1);
    }
    return true;
  }

  [[nodiscard]] std::size_t width() const { return jpeg_.image_width; }
  [[nodiscard]] std::size_t height() const { return jpeg_.image_height; }
  [[nodiscard]] std::size_t channels() const {
    return jpeg_.out_color_space == JCS_CMYK ? 4 : jpeg_.out_color_space == JCS_RGB ? 3 : 1;
  }
  [[nodiscard]] const char* message() const { return failure_.message; }

 private:
  std::string_view bytes_;
  JpegFailure failure_;
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct jpeg_{};
};

/// a * b / 255, rounded.
int times(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/// Files hold CMYK inverted, as Adobe's programs write it: so do Pillow's readers take all of them.
Picture from_cmyk(const Picture& cmyk) {
  Picture rgb = Picture::of_size(cmyk.width, cmyk.height, 3);
  for (std::int64_t k = 0; k < cmyk.width * cmyk.height; ++k) {
    const std::uint8_t* in = cmyk.bytes.get() + 4 * k;
    const int white = in[3];
    for (int c = 0; c < 3; ++c) {
      const int value = white - times(255 - in[c], white);
      rgb.bytes[static_cast<std::size_t>(3 * k + c)] = static_cast<std::uint8_t>(std::max(value, 0));
    }
  }
  return rgb;
}

Picture from_grey(const Picture& grey) {
  Picture rgb = Picture::of_size(grey.width, grey.height, 3);
  for (std::int64_t k = 0; k < grey.width * grey.height; ++k)
    std::fill_n(rgb.bytes.get() + 3 * k, 3, grey.bytes[static_cast<std::size_t>(k)]);
  return rgb;
}

}  // namespace

Picture decode_jpeg(std::string_view bytes, const std::string& where) {
  JpegDecoder decoder(bytes);
  if (!decoder.read_header()) throw damaged_picture(where, "JPEG", decoder.message());
  check_picture_size(static_cast<std::int64_t>(decoder.width()), static_cast<std::int64_t>(decoder.height()), where);
  Picture picture =
      Picture::of_size(static_cast<std::int64_t>(decoder.width()), static_cast<std::int64_t>(decoder.height()),
                       static_cast<std::int64_t>(decoder.channels()));
  if (!decoder.read_pixels(picture.bytes.get())) throw damaged_picture(where, "JPEG", decoder.message());
  if (picture.channels == 4) return from_cmyk(picture);
  return picture.channels == 1 ? from_grey(picture) : std::move(picture);
}

}  // namespace fusekit::inputs
