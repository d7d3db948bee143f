#include "fusekit/nearest.h"

#include <gtest/gtest.h>

namespace fusekit {
namespace {

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> known{"fuse", "quantize", "verify", "bench", "inspect"};
  EXPECT_EQ(nearest("fuze", known), "fuse");
  EXPECT_EQ(nearest("fsue", known), "fuse");
  EXPECT_EQ(nearest("quantise", known), "quantize");
  EXPECT_EQ(nearest("inspec", known), "inspect");
  EXPECT_EQ(nearest("deploy", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
}

}  // namespace
}  // namespace fusekit
