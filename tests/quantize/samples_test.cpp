#include "quantize/observe/samples.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "fusekit/error.h"
#include "inputs/inputs.h"
#include "inputs/pictures/pictures.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;
using quantize::Samples;
using test::data;
using test::TemporaryFolder;

fs::path picture(const std::string& name) {
  return fs::path(FUSEKIT_SOURCE_DIR) / "tests" / "inputs" / "pictures" / name;
}

at::Tensor ramp() { return at::arange(6, at::kFloat).reshape({2, 3}); }

CalibrationOptions from(std::vector<fs::path> paths) {
  CalibrationOptions options;
  options.paths = std::move(paths);
  options.pictures.resize = 16;
  options.pictures.crop = 12;
  return options;
}

void copy_to(const fs::path& file, const fs::path& to) {
  fs::create_directories(to.parent_path());
  fs::copy_file(file, to);
}

std::vector<std::string> names_of(Samples& samples) {
  std::vector<std::string> names;
  while (const auto sample = samples.next()) names.push_back(sample->name);
  return names;
}

Error error_of(const CalibrationOptions& options, const std::vector<std::string>& arguments = {"x"}) {
  try {
    Samples samples(options, arguments);
    names_of(samples);
  } catch (const Error& error) {
    return error;
  }
  return {ErrorKind::usage, "no Error"};
}

TEST(CalibrationSamples, AFolderIsReadToItsEndsSortedByName) {
  TemporaryFolder folder;
  copy_to(picture("color.png"), folder / "photos/b/2.PNG");
  copy_to(picture("color.jpg"), folder / "photos/b/1.jpeg");
  copy_to(picture("grey.png"), folder / "photos/c.png");
  copy_to(picture("tall.png"), folder / "photos/a.jpg");
  copy_to(picture("color.png"), folder / "photos/.hidden.png");
  test::write_bytes(folder / "photos/labels.txt", "cat\n");
  Samples samples(from({folder / "photos"}), {"x"});
  EXPECT_EQ(samples.size(), 4U);
  EXPECT_EQ(samples.ignored(), 1U);
  EXPECT_EQ(names_of(samples),
            (std::vector<std::string>{"photos/a.jpg", "photos/b/1.jpeg", "photos/b/2.PNG", "photos/c.png"}));
  EXPECT_FALSE(samples.next());
  samples.rewind();
  const auto first = samples.next();
  ASSERT_TRUE(first);
  ASSERT_EQ(first->inputs.size(), 1U);
  EXPECT_TRUE(first->inputs[0].toTensor().equal(inputs::load_picture(picture("tall.png"), from({}).pictures)));
  Samples slash(from({folder / "photos/"}), {"x"});
  EXPECT_EQ(slash.next()->name, "photos/a.jpg");
}

TEST(CalibrationSamples, TensorFilesGiveTheirSamplesOneByOne) {
  Samples samples(from({data("samples.pt"), data("f4.npy"), data("numbered.npz"), data("dict.pt")}), {"x", "y"});
  EXPECT_EQ(samples.size(), 5U);
  for (int pass = 0; pass < 2; ++pass, samples.rewind()) {
    const auto zero = samples.next();
    const auto one = samples.next();
    EXPECT_EQ(zero->name, "samples.pt[0]");
    EXPECT_EQ(one->name, "samples.pt[1]");
    EXPECT_TRUE(one->inputs.at(0).toTensor().equal(ramp() + 1));
    EXPECT_EQ(one->inputs.at(1).toInt(), 2);
    EXPECT_EQ(samples.next()->name, "f4.npy");
    EXPECT_EQ(samples.next()->inputs.size(), 2U);
    EXPECT_TRUE(samples.next()->inputs.at(1).toTensor().equal(ramp() + 1));
    EXPECT_FALSE(samples.next());
  }
}

TEST(CalibrationSamples, ALimitTakesThemFromEverywhere) {
  TemporaryFolder folder;
  for (int k = 0; k < 10; ++k) copy_to(data("f4.npy"), folder / fmt::format("d/{}.npy", k));
  CalibrationOptions options = from({folder / "d"});
  options.limit = 4;
  Samples samples(options, {"x"});
  EXPECT_EQ(samples.size(), 4U);
  EXPECT_EQ(names_of(samples), (std::vector<std::string>{"d/0.npy", "d/2.npy", "d/5.npy", "d/7.npy"}));
  options.limit = 99;
  EXPECT_EQ(Samples(options, {"x"}).size(), 10U);
  options = from({data("samples.pt"), data("tensor.pt")});
  options.limit = 2;
  Samples two(options, {"x", "n"});
  EXPECT_EQ(names_of(two), (std::vector<std::string>{"samples.pt[0]", "samples.pt[1]"}));
}

TEST(CalibrationSamples, RandomOnesAreThoseOfTheSeed) {
  CalibrationOptions options;
  options.random = 3;
  options.inputs.dims = {{2, 3}};
  options.inputs.types = {"float"};
  options.inputs.seed = 5;
  Samples samples(options, {"x"});
  EXPECT_EQ(samples.size(), 3U);
  samples.next();
  const auto one = samples.next();
  EXPECT_EQ(one->name, "random[1]");
  EXPECT_TRUE(one->inputs.at(0).toTensor().equal(inputs::draw_sample(options.inputs, 1).at(0).toTensor()));
  EXPECT_EQ(error_of({}).message(), "there is no calibration data");
  options.paths = {data("f4.npy")};
  EXPECT_EQ(error_of(options).kind(), ErrorKind::usage);
  options = {};
  options.random = -1;
  EXPECT_EQ(error_of(options).message(), "-1 random samples can't be drawn");
}

TEST(CalibrationSamples, LinksThatLeadInCirclesAreReadOnce) {
  TemporaryFolder folder;
  copy_to(picture("color.png"), folder / "a/1.png");
  copy_to(picture("color.png"), folder / "elsewhere/2.png");
  fs::create_directory_symlink(folder / "a", folder / "a/again");
  fs::create_directory_symlink(folder / "elsewhere", folder / "a/link");
  fs::create_directory_symlink(folder.path(), folder / "elsewhere/up");
  Samples samples(from({folder / "a"}), {"x"});
  EXPECT_EQ(names_of(samples), (std::vector<std::string>{"a/1.png", "a/link/2.png"}));
}

TEST(CalibrationSamples, AFolderWithoutSamplesIsAnError) {
  TemporaryFolder folder;
  fs::create_directories(folder / "empty/er");
  EXPECT_EQ(error_of(from({folder / "empty"})).message(), (folder / "empty").string() + ": holds no sample");
  test::write_bytes(folder / "empty/a.webp", "RIFF");
  EXPECT_EQ(error_of(from({folder / "empty"})).message(),
            (folder / "empty").string() + ": holds no sample among its 1 files");
  EXPECT_EQ(error_of(from({folder / "none"})).message(), (folder / "none").string() + ": no such file");
}

TEST(CalibrationSamples, AFolderOfBothKindsIsAnError) {
  TemporaryFolder folder;
  copy_to(picture("color.png"), folder / "d/a.png");
  copy_to(data("f4.npy"), folder / "d/b.npy");
  EXPECT_EQ(error_of(from({folder / "d"})).message(),
            (folder / "d").string() + ": mixes pictures (d/a.png) with tensors (d/b.npy)");
  EXPECT_EQ(error_of(from({folder / "d/a.png", folder / "d/b.npy"})).message(), "no Error");
}

TEST(CalibrationSamples, FilesThatCantBeReadAreNamedBeforeAnythingRuns) {
  TemporaryFolder folder;
  copy_to(picture("color.png"), folder / "d/a.png");
  const auto message_with = [&](const std::string& name) {
    const std::string message = error_of(from({folder / "d"})).message();
    fs::remove(folder / ("d/" + name));
    return message.substr(std::min(message.size(), (folder / "d/").string().size()));
  };
  test::write_bytes(folder / "d/b.png", "");
  EXPECT_EQ(message_with("b.png"), "b.png: is empty");
  fs::create_symlink(folder / "nowhere", folder / "d/c.png");
  EXPECT_EQ(message_with("c.png"), "c.png: no such file");
  ASSERT_EQ(mkfifo((folder / "d/e.png").c_str(), 0600), 0);
  EXPECT_EQ(message_with("e.png"), "e.png: is not a regular file");
  test::write_bytes(folder / "d/f.jpg", "GIF89a..........");
  EXPECT_NE(message_with("f.jpg").find("f.jpg"), std::string::npos);
  EXPECT_EQ(error_of(from({data("dict.pt")}), {"x", "z"}).kind(), ErrorKind::input);
}

TEST(CalibrationSamples, ADamagedPictureIsNamedWhenItsTurnComes) {
  TemporaryFolder folder;
  copy_to(picture("color.png"), folder / "d/a.png");
  test::write_bytes(folder / "d/b.jpg", test::bytes_of(picture("color.jpg")).substr(0, 700));
  Samples samples(from({folder / "d"}), {"x"});
  EXPECT_TRUE(samples.next());
  EXPECT_THROW(samples.next(), Error);
}

}  // namespace
}  // namespace fusekit
