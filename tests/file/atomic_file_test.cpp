#include "file/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

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

void replace_with(const std::filesystem::path& path, const std::string& bytes) {
  AtomicFile file(path);
  file.append(bytes.data(), bytes.size());
  file.finish();
  file.publish(/*replace=*/true);
}

struct stat status_of(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return status;
}

TEST(AtomicFile, KeepsTheModeAndOwnerOfWhatItReplaces) {
  const test::TemporaryFolder folder;
  for (const mode_t mode : {0600U, 0640U, 0444U, 0755U}) {
    const std::filesystem::path path = folder / fmt::format("{:o}", mode);
    test::write_bytes(path, "old");
    chmod(path.c_str(), mode);
    const bool is_root = chown(path.c_str(), 1234, 4321) == 0;
    replace_with(path, "new");
    EXPECT_EQ(test::bytes_of(path), "new");
    EXPECT_EQ(status_of(path).st_mode & 07777U, mode);
    if (is_root) {
      EXPECT_EQ(status_of(path).st_uid, 1234U);
      EXPECT_EQ(status_of(path).st_gid, 4321U);
    }
  }
  replace_with(folder / "fresh", "new");
  const mode_t mask = umask(0);
  umask(mask);
  EXPECT_EQ(status_of(folder / "fresh").st_mode & 07777U, 0666U & ~mask);
}

TEST(AtomicFile, NamesMayBeAsLongAsTheFileSystemTakesThem) {
  const test::TemporaryFolder folder;
  for (const std::size_t length : {240U, 251U, 255U}) {
    const std::filesystem::path path = folder / std::string(length, 'n');
    replace_with(path, "first");
    replace_with(path, "second");
    EXPECT_EQ(test::bytes_of(path), "second");
  }
  EXPECT_EQ(folder.entries(), 3U);
  EXPECT_TRUE(
      test::refuses(ErrorKind::file, "File name too long", [&] { replace_with(folder / std::string(256, 'n'), "x"); }));
}

TEST(AtomicFile, IsNeverAStandardStream) {
  const test::TemporaryFolder folder;
  const int input = dup(STDIN_FILENO);
  close(STDIN_FILENO);
  {
    AtomicFile file(folder / "a.pt");
    EXPECT_EQ(fcntl(STDIN_FILENO, F_GETFD), -1) << "it has the lowest free number";
    file.append("bytes", 5);
    file.finish();
    file.publish(/*replace=*/false);
  }
  if (input >= 0) {
    dup2(input, STDIN_FILENO);
    close(input);
  }
  EXPECT_EQ(test::bytes_of(folder / "a.pt"), "bytes");
}

TEST(AtomicFile, TakesAwayWhatAKilledWriterLeft) {
  const test::TemporaryFolder folder;
  const auto left = [&](const std::string& name, std::chrono::minutes age) {
    test::write_bytes(folder / name, "half");
    std::filesystem::last_write_time(folder / name, std::filesystem::file_time_type::clock::now() - age);
    return folder / name;
  };
  const auto abandoned = left(".fusekit-0123abcd", std::chrono::minutes(5));
  const auto young = left(".fusekit-0123abce", std::chrono::minutes(0));
  const auto foreign = left(".fusekit-notes", std::chrono::minutes(5));
  const auto locked = left(".fusekit-0123abcf", std::chrono::minutes(5));
  const int descriptor = ::open(locked.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(flock(descriptor, LOCK_EX | LOCK_NB), 0);
  { const file::AtomicFile next(folder / "out.pt"); }
  close(descriptor);
  EXPECT_FALSE(std::filesystem::exists(abandoned));
  EXPECT_TRUE(std::filesystem::exists(young)) << "its writer may be about to lock it";
  EXPECT_TRUE(std::filesystem::exists(foreign));
  EXPECT_TRUE(std::filesystem::exists(locked)) << "its writer is alive";
}

TEST(AtomicFile, FollowsALinkThatLeadsNowhere) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "real");
  std::filesystem::create_symlink(folder / "real/out.pt", folder / "link.pt");
  for (const bool replace : {false, true}) {
    AtomicFile file(folder / "link.pt");
    file.append("bytes", 5);
    file.finish();
    file.publish(replace);
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.pt"));
    EXPECT_EQ(test::bytes_of(folder / "real/out.pt"), "bytes");
  }
}

}  // namespace
}  // namespace fusekit::file
