#include "runtime/limited_run.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>

#include "fusekit/runtime.h"
#include "runtime/followed_link.h"
#include "runtime/resident_memory.h"
#include "runtime/unfinished_files.h"
#include "support/refusal.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit::runtime {
namespace {

constexpr std::uint64_t kMega = 1000000;

std::uint64_t resident() { return static_cast<std::uint64_t>(resident_kib()) * 1024; }

TEST(LimitedRun, OneLargeAllocationIsRefusedBeforeItIsMade) {
  LimitedRun limited("a run of net.pt", {0, resident() + 100 * kMega});
  EXPECT_NO_THROW(at::empty({10 * 1000 * 1000}));  // 40 MB
  EXPECT_FALSE(limited.breach());
  EXPECT_ANY_THROW(at::empty({1000 * 1000 * 1000}));
  ASSERT_TRUE(limited.breach());
  EXPECT_TRUE(limited.breach()->message().starts_with("a run of net.pt takes more than "))
      << limited.breach()->message();
  EXPECT_TRUE(test::has(limited.breach()->hint(), "RuntimeOptions::max_memory"));
  EXPECT_TRUE(test::refuses(ErrorKind::model, "of memory", [&] { limited.check(); }));
}

TEST(LimitedRun, ManySmallAllocationsAreAddedUp) {
  LimitedRun limited("a run", {0, resident() + 200 * kMega});
  std::vector<at::Tensor> kept;
  const auto fill = [&] {
    for (int k = 0; k < 1000; ++k) kept.push_back(at::ones({250 * 1000}));  // 1 MB each
  };
  EXPECT_ANY_THROW(fill());
  EXPECT_LT(kept.size(), 400U);
}

TEST(LimitedRun, MemoryThatIsGivenBackDoesNotCount) {
  LimitedRun limited("a run", {0, resident() + 200 * kMega});
  for (int k = 0; k < 100; ++k) EXPECT_NO_THROW(at::ones({10 * 1000 * 1000}));  // 4 GB in all, 40 MB at a time
}

TEST(LimitedRun, ALoopOfOperatorsIsStoppedInTime) {
  const auto begin = std::chrono::steady_clock::now();
  LimitedRun limited("a run of forward", {0.2, 0});
  at::Tensor x = at::ones({4});
  const auto loop = [&] {
    for (;;) x = x + 1;
  };
  EXPECT_ANY_THROW(loop());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  ASSERT_TRUE(limited.breach());
  EXPECT_EQ(limited.breach()->message(), "a run of forward takes longer than 0.2 s");
}

TEST(LimitedRun, HoldsInItsScopeAlone) {
  const auto much = [] { return at::empty({1000 * 1000 * 1000}); };
  {
    LimitedRun outer("outer", {0, resident() + 100 * kMega});
    {
      const LimitedRun inner("inner", {});
      EXPECT_NO_THROW(much());
    }
    EXPECT_ANY_THROW(much());
  }
  EXPECT_NO_THROW(much());
}

class StandingLimits : public testing::Test {
 protected:
  ~StandingLimits() override { set_limits({}); }
};

TEST_F(StandingLimits, AreThoseOfTheOptions) {
  EXPECT_EQ(standing_limits().seconds, kDefaultRunLimit);
  EXPECT_EQ(standing_limits().bytes, 0U);
  EXPECT_LT(limits_of_guesses().seconds, 60);
  EXPECT_GT(limits_of_guesses().bytes, resident());
  EXPECT_LT(limits_of_guesses().bytes, resident() + (5ULL << 30));
  set_limits({.run_limit = 3, .max_memory = 1234});
  for (const Limits& limits : {standing_limits(), limits_of_guesses()}) {
    EXPECT_EQ(limits.seconds, 3);
    EXPECT_EQ(limits.bytes, 1234U);
  }
  EXPECT_TRUE(test::refuses(ErrorKind::usage, "RuntimeOptions::run_limit = 0", [] { set_limits({.run_limit = 0}); }));
  EXPECT_TRUE(test::refuses(ErrorKind::usage, "RuntimeOptions::max_memory = 0", [] { set_limits({.max_memory = 0}); }));
}

TEST(UnfinishedFiles, AreRemovedUnlessTheyAreFinished) {
  const test::TemporaryFolder folder;
  const auto unfinished = folder / ".fusekit-0123abcd";
  const auto finished = folder / ".fusekit-0123abce";
  const auto foreign = folder / "notes";  // a process that was taken over may name anything
  for (const auto& path : {unfinished, finished, foreign}) {
    test::write_bytes(path, "x");
    remember_unfinished(path);
  }
  const auto candidates = folder / ".fusekit-tune-aBc012";
  std::filesystem::create_directory(candidates);
  test::write_bytes(candidates / "a.pt", "x");
  remember_unfinished(candidates);
  forget_unfinished(finished);
  remove_unfinished();
  EXPECT_FALSE(std::filesystem::exists(unfinished));
  EXPECT_FALSE(std::filesystem::exists(candidates));
  EXPECT_TRUE(std::filesystem::exists(finished));
  EXPECT_TRUE(std::filesystem::exists(foreign));
}

TEST(FollowedLink, LeadsToWhatNeedNotExist) {
  const test::TemporaryFolder folder;
  std::filesystem::create_symlink("b", folder / "a");
  std::filesystem::create_symlink(folder / "none", folder / "b");
  EXPECT_EQ(followed(folder / "a"), folder / "none");
  EXPECT_EQ(followed(folder / "other"), folder / "other");
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_TRUE(test::refuses(ErrorKind::file, "lead to each other", [&] { followed(folder / "loop"); }));
}

}  // namespace
}  // namespace fusekit::runtime
