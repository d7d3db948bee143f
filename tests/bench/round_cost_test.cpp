#include "bench/round_cost.h"

#include <gtest/gtest.h>

namespace fusekit::bench {
namespace {

TEST(RoundCost, PlansAsManyProcessesAsHaveEnoughTime) {
  EXPECT_EQ(min_useful_seconds({1, 0.05}), 1.5);
  EXPECT_EQ(min_useful_seconds({1, 0.5}), 3);
  EXPECT_EQ(plan_processes(20, 18, 1, {0.3, 0.02}), 16U);  // no more
  EXPECT_EQ(plan_processes(20, 18, 1, {1.2, 0.1}), 10U);   // 11 would leave one load order without its reverse
  EXPECT_EQ(plan_processes(20, 17, 1, {1.9, 0.1}), 8U);    // no fewer...
  EXPECT_EQ(plan_processes(20, 15, 1, {4, 1}), 4U);        // ...unless even a block in each would take too long
  EXPECT_EQ(plan_processes(20, 0, 1, {30, 5}), 3U);
  EXPECT_EQ(plan_processes(20, 0, 5, {3, 0.1}), 5U);  // never fewer than are done
  EXPECT_EQ(plan_processes(20, 20, 0, {0, 0}), 16U);
}

}  // namespace
}  // namespace fusekit::bench
