#include "inputs/pictures/pictures.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "fusekit/error.h"
#include "inputs/npy.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;
using inputs::load_picture;
using test::TemporaryFolder;

fs::path source() { return fs::path(FUSEKIT_SOURCE_DIR) / "tests" / "inputs"; }

/// The Python that may have torchvision, as scripts/lib.sh chooses it.
std::string python() {
  const char* chosen = std::getenv("FUSEKIT_PYTHON");
  return chosen ? chosen : "/usr/bin/python3";
}

PictureOptions form(std::int64_t resize, std::int64_t crop, int channels = 3) {
  PictureOptions options{resize, crop};
  if (channels == 1) {
    options.mean = {0.1307};
    options.std = {0.3081};
  }
  return options;
}

/// Every line of cases.tsv, which make_pictures.py wrote: what torchvision computed, within `levels` of 255. Returns their
/// number.
int compare_with_torchvision(const fs::path& folder, float levels) {
  std::ifstream cases(folder / "cases.tsv");
  int count = 0;
  std::string line;
  for (; std::getline(cases, line); ++count) {
    std::istringstream words(line);
    std::string picture;
    std::string array;
    PictureOptions options;
    int channels = 0;
    words >> picture >> options.resize >> options.crop >> channels >> array;
    options = form(options.resize, options.crop, channels);
    const at::Tensor expected = inputs::parse_npy(test::bytes_of(folder / array), array);
    const at::Tensor found = load_picture(folder / picture, options);
    EXPECT_EQ(found.sizes(), expected.sizes()) << array;
    if (found.sizes() != expected.sizes()) continue;
    const float off = (found - expected).abs().max().item<float>() * static_cast<float>(options.std.back()) * 255;
    EXPECT_LE(off, levels) << array;
  }
  return count;
}

std::string message_of(const fs::path& path, const PictureOptions& options = {}) {
  try {
    load_picture(path, options);
  } catch (const Error& error) {
    EXPECT_FALSE(error.hint().empty()) << error.message();
    return error.message();
  }
  return "no Error";
}

TEST(Pictures, EveryFormIsWhatTorchvisionMakesOfIt) {
  EXPECT_EQ(compare_with_torchvision(source() / "pictures", 0), 41);
}

TEST(Pictures, LargerOnesAreWhatThisMachinesTorchvisionMakesOfThem) {
  if (test::run_command({python(), "-W", "ignore", "-c", "import torchvision"}).exit_code != 0)
    GTEST_SKIP() << "NOT COMPARED WITH TORCHVISION: " << python() << " has none (apt-get install python3-torchvision)";
  TemporaryFolder folder;
  const auto made = test::run_command({python(), "-W", "ignore", (source() / "make_pictures.py").string(),
                                       folder.path().string(), "--scale", "13", "--seed", "7"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(compare_with_torchvision(folder.path(), 1.01F), 41);  // Pillow 13 differs from 9 in some last bits
}

TEST(Pictures, AFileIsWhatItHoldsNotWhatItIsCalled) {
  TemporaryFolder folder;
  fs::copy_file(source() / "pictures" / "color.png", folder / "color.jpg");
  EXPECT_TRUE(load_picture(folder / "color.jpg", form(16, 12))
                  .equal(load_picture(source() / "pictures" / "color.png", form(16, 12))));
  test::write_bytes(folder / "web.png", "RIFF....WEBPVP8 ");
  EXPECT_EQ(message_of(folder / "web.png"), (folder / "web.png").string() + ": is neither a PNG nor a JPEG picture");
}

TEST(Pictures, ACutFileIsNoPicture) {
  TemporaryFolder folder;
  for (const std::string name : {"color.png", "palette.png", "color.jpg", "progressive.jpg", "cmyk.jpg"}) {
    const std::string bytes = test::bytes_of(source() / "pictures" / name);
    for (std::size_t size = 8; size + 20 < bytes.size(); size += 1 + size / 3) {
      test::write_bytes(folder / name, bytes.substr(0, size));
      const std::string message = message_of(folder / name);
      EXPECT_TRUE(message.starts_with((folder / name).string() + ": is no whole ")) << size << ": " << message;
    }
  }
  test::write_bytes(folder / "nothing.png", "");
  EXPECT_EQ(message_of(folder / "nothing.png"), (folder / "nothing.png").string() + ": is empty");
  EXPECT_EQ(message_of(folder / "none.png"), (folder / "none.png").string() + ": no such file");
}

/// What comes of damage is a picture or an Error that names the file.
TEST(Pictures, ADamagedFileNeverCrashes) {
  TemporaryFolder folder;
  std::srand(3);
  int errors = 0;
  for (const std::string name : {"alpha.png", "palette.png", "grey16.png", "color.jpg", "progressive.jpg", "cmyk.jpg"})
    for (int k = 0; k < 150; ++k) {
      std::string bytes = test::bytes_of(source() / "pictures" / name);
      for (int flips = 0; flips < 3; ++flips)
        bytes[8 + static_cast<std::size_t>(std::rand()) % (bytes.size() - 8)] = static_cast<char>(std::rand());
      test::write_bytes(folder / name, bytes);
      const std::string message = message_of(folder / name, form(16, 12));
      errors += message != "no Error";
      EXPECT_TRUE(message == "no Error" || message.starts_with((folder / name).string() + ": ")) << message;
    }
  EXPECT_GT(errors, 450);  // PNG's chunks have checksums
}

/// A PNG's signature and header, which claim a size, and data of a few bytes.
std::string png_that_claims(std::uint32_t width, std::uint32_t height) {
  const std::string real = test::bytes_of(source() / "pictures" / "color.png");
  std::string bytes = real;
  const auto write = [&bytes](std::size_t place, std::uint32_t value) {
    for (std::size_t k = 0; k < 4; ++k) bytes[place + k] = static_cast<char>(value >> (24 - 8 * k));
  };
  write(16, width);
  write(20, height);
  std::uint32_t crc = 0xFFFFFFFF;  // of the chunk's name and content (PNG specification, annex D)
  for (std::size_t k = 12; k < 29; ++k) {
    crc ^= static_cast<unsigned char>(bytes[k]);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? 0xEDB88320 ^ (crc >> 1) : crc >> 1;
  }
  write(29, ~crc);
  return bytes;
}

TEST(Pictures, AHugeOneIsRefusedBeforeItTakesMemory) {
  TemporaryFolder folder;
  test::write_bytes(folder / "same.png", png_that_claims(41, 30));
  EXPECT_EQ(message_of(folder / "same.png"), "no Error");  // the checksum is right
  test::write_bytes(folder / "bomb.png", png_that_claims(60000, 60000));
  EXPECT_EQ(message_of(folder / "bomb.png"), (folder / "bomb.png").string() +
                                                 ": claims to be 60000x60000 pixels, more than the 178956970 that are "
                                                 "read");
  test::write_bytes(folder / "line.png", png_that_claims(2147483647, 1));
  EXPECT_TRUE(message_of(folder / "line.png").ends_with("more than the 178956970 that are read"));
  test::write_bytes(folder / "big.png", png_that_claims(13000, 13000));
  EXPECT_TRUE(message_of(folder / "big.png").starts_with((folder / "big.png").string() + ": is no whole PNG picture"));
}

TEST(Pictures, OptionsThatMakeNoSenseAreNamed) {
  const fs::path path = source() / "pictures" / "color.png";
  const auto with = [](auto change) {
    PictureOptions options;
    change(options);
    return options;
  };
  EXPECT_EQ(message_of(path, form(-1, 10)), "PictureOptions::resize = -1 is no size");
  EXPECT_EQ(message_of(path, form(10, 20000)), "PictureOptions::crop = 20000 is no size");
  EXPECT_EQ(message_of(path, with([](auto& o) { o.mean = {0.5}; })),
            "PictureOptions::mean has 1 values and PictureOptions::std 3");
  EXPECT_EQ(message_of(path, with([](auto& o) {
                         o.std = o.mean = {0.5, 0.5};
                       })),
            "PictureOptions::mean has 2 values and PictureOptions::std 2");
  EXPECT_EQ(message_of(path, with([](auto& o) { o.std[1] = 0; })),
            "PictureOptions::mean = 0.456 PictureOptions::std = 0 can't be computed with");
  EXPECT_EQ(message_of(path, with([](auto& o) { o.mean[0] = NAN; })),
            "PictureOptions::mean = nan PictureOptions::std = 0.229 can't be computed with");
}

}  // namespace
}  // namespace fusekit
