#include "file/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "fusekit/error.h"
#include "support/refusal.h"
#include "support/synced_files.h"
#include "support/temporary_folder.h"

namespace fusekit::file {
namespace {

TEST(AtomicFile, ItsBytesAreOnTheDiskBeforeItsNameAndBothInTheEnd) {
  const test::TemporaryFolder folder;
  const test::SyncedFiles synced;
  AtomicFile file(folder / "a.pt");
  file.append("bytes", 5);
  EXPECT_FALSE(synced.has(file.readable_path()));
  file.finish();
  EXPECT_TRUE(synced.has(file.readable_path()));
  EXPECT_FALSE(synced.has(folder.path()));
  file.publish(/*replace=*/false);
  EXPECT_TRUE(synced.has(folder.path()));
  EXPECT_EQ(test::bytes_of(folder / "a.pt"), "bytes");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, ReplacesOnlyWhereItIsTold) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a.pt", "old");
  AtomicFile file(folder / "a.pt");
  file.append("new", 3);
  file.finish();
  EXPECT_TRUE(test::refuses(ErrorKind::file, "a.pt", [&] { file.publish(/*replace=*/false); }));
  EXPECT_EQ(test::bytes_of(folder / "a.pt"), "old");
  file.publish(/*replace=*/true);
  EXPECT_EQ(test::bytes_of(folder / "a.pt"), "new");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, AWriteThatFailedIsToldInTheEnd) {
  const test::TemporaryFolder folder;
  AtomicFile file(folder / "a.pt");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit four_bytes{4, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);  // so that write fails instead
  setrlimit(RLIMIT_FSIZE, &four_bytes);
  file.append("eight by", 8);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_TRUE(test::refuses(ErrorKind::file, "can't be written: File too large", [&] { file.finish(); }));
}

TEST(AtomicFile, NothingIsLeftOfOneThatWasGivenUp) {
  const test::TemporaryFolder folder;
  {
    AtomicFile file(folder / "a.pt");
    file.append("bytes", 5);
    file.finish();
  }
  EXPECT_EQ(folder.entries(), 0U);
}

}  // namespace
}  // namespace fusekit::file
