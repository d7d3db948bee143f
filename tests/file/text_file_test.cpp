#include "file/text_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "fusekit/error.h"
#include "support/temporary_folder.h"

namespace fusekit::file {
namespace {

TEST(TextFile, IsWrittenAtOnceReplacedAndReadBack) {
  const test::TemporaryFolder folder;
  check_text_file(folder / "a.txt");
  EXPECT_EQ(folder.entries(), 0U);
  write_text_file(folder / "a.txt", "one\n");
  write_text_file(folder / "a.txt", "two\n");
  EXPECT_EQ(read_text_file(folder / "a.txt", ""), "two\n");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(TextFile, OnlyRegularFilesInFoldersThatAreThere) {
  const test::TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  // No real device here: a fault in what is tested would replace it.
  for (const std::filesystem::path& path :
       {folder / "none/a.txt", folder / "pipe", folder.path(), std::filesystem::path()}) {
    EXPECT_THROW(check_text_file(path), Error) << path;
    EXPECT_THROW(write_text_file(path, "x"), Error) << path;
    try {
      read_text_file(path, "make it");
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.hint(), "make it");
    }
  }
  EXPECT_EQ(folder.entries(), 1U);
}

}  // namespace
}  // namespace fusekit::file
