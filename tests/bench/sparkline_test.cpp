#include "bench/sparkline.h"

#include <gtest/gtest.h>

namespace fusekit::bench {
namespace {

TEST(Sparkline, HasBinsOnALogarithmicAxis) {
  const std::vector<double> values = {0.5, 1, 1.5, 2, 3, 4, 100};
  EXPECT_EQ(log_histogram(values, 1, 16, 4), (std::vector<std::size_t>{3, 2, 1, 1}));
  EXPECT_EQ(sparkline(std::vector<std::size_t>{0, 1, 4, 8}), " ▁▄█");
  EXPECT_EQ(sparkline(std::vector<std::size_t>{0, 0}), "  ");
  EXPECT_EQ(sparkline(std::vector<std::size_t>{1, 1000}), "▁█");
}

}  // namespace
}  // namespace fusekit::bench
