#include "bench/roofline.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "bench/machine_speed.h"
#include "fusekit/bench.h"

namespace fusekit::bench {
namespace {

/// 100 GFLOP/s in float, 50 GB/s up to 1 MB, 10 GB/s from 16 MB on.
MachineSpeed machine() {
  MachineSpeed speed;
  speed.threads = 1;
  speed.flops_per_second = {{"float", 100e9}};
  speed.bandwidth = {{1e5, 50e9}, {16e6, 10e9}};
  speed.call_us = 1;
  speed.fault_us = 0.5;
  return speed;
}

LayerTime layer(const std::string& scope, const std::string& op, double us, double attainable_us,
                Bound bound = Bound::compute) {
  LayerTime time{scope, op, us, 1};
  time.attainable_us = attainable_us;
  time.bound = bound;
  time.dtype = "float";
  return time;
}

TEST(Roofline, TheSlowerOfArithmeticAndMemoryBounds) {
  OperatorWork work{.flops = 100e6, .weight_bytes = 0, .data_bytes = 1e6, .dtype = "float"};
  EXPECT_DOUBLE_EQ(attainable(work, 0, machine())->us, 1000);  // 100e6 / 100e9
  EXPECT_EQ(attainable(work, 0, machine())->bound, Bound::compute);
  work.flops = 1e6;
  EXPECT_DOUBLE_EQ(attainable(work, 0, machine())->us, 20);  // 1e6 / 50e9
  EXPECT_EQ(attainable(work, 0, machine())->bound, Bound::memory);
  work.data_bytes = 100;
  work.flops = 100;
  EXPECT_EQ(attainable(work, 0, machine())->bound, Bound::call);
}

TEST(Roofline, WeightsComeFromAsFarAsAllWeightsOfTheRunDriveThem) {
  const OperatorWork work{.flops = 0, .weight_bytes = 1e6, .data_bytes = 0, .dtype = "float"};
  EXPECT_DOUBLE_EQ(attainable(work, 1e6, machine())->us, 20);
  EXPECT_DOUBLE_EQ(attainable(work, 50e6, machine())->us, 100);
  EXPECT_EQ(bandwidth_for(machine(), 1), 50e9);
  EXPECT_EQ(bandwidth_for(machine(), 15e6), 50e9) << "the cache that may still hold it";
}

TEST(Roofline, NothingIsClaimedForWhatWasNotMeasured) {
  EXPECT_FALSE(attainable({.flops = 1, .weight_bytes = 0, .data_bytes = 1, .dtype = "half"}, 0, machine()).has_value());
  EXPECT_FALSE(attainable({.flops = 1, .weight_bytes = 0, .data_bytes = 1, .dtype = "float"}, 0, {}).has_value());
  EXPECT_TRUE(attainable({.flops = 0, .weight_bytes = 0, .data_bytes = 1, .dtype = "half"}, 0, machine()).has_value());
}

TEST(Roofline, PartsAddUpToTheForward) {
  Profile profile{.label = "a", .forward_us = 100};
  profile.layers = {layer("x", "aten::conv2d", 60, 30), layer("x", "aten::relu", 20, 5),
                    layer("y", "aten::relu", 8, 8)};
  profile.plain_us = 95;
  EXPECT_DOUBLE_EQ(profile.observer_us(), 5);
  EXPECT_DOUBLE_EQ(profile.between_us(), 7);
  profile.plain_us = 70;  // another program was busy in the observed runs
  EXPECT_DOUBLE_EQ(profile.observer_us() + profile.between_us() + 88, 100);
  const auto operators = sum_by_operator(profile.layers);
  ASSERT_EQ(operators.size(), 2U);
  EXPECT_EQ(operators[1].op, "aten::relu");
  EXPECT_DOUBLE_EQ(operators[1].us, 28);
  EXPECT_DOUBLE_EQ(*operators[1].attainable_us, 13);
  EXPECT_DOUBLE_EQ(sum_by_scope(profile.layers)[0].us, 80);
}

TEST(Roofline, TheNextBottleneckIsWhereMostCanBeWon) {
  Profile profile{.label = "a", .forward_us = 100};
  profile.layers = {layer("x", "aten::conv2d", 50, 45), layer("y", "aten::batch_norm", 20, 2, Bound::memory),
                    layer("z", "aten::batch_norm", 10, 1, Bound::memory)};
  profile.plain_us = 100;
  profile.page_faults = 12;  // 6 us
  profile.machine = machine();
  const auto texts = next_bottlenecks(profile);
  ASSERT_EQ(texts.size(), 4U);
  EXPECT_EQ(
      texts[0],
      "arithmetic in float at the most that this machine reaches: 45.00 us, 45 % of a run; int8, bfloat16 or more "
      "threads need less time for it");
  EXPECT_EQ(
      texts[1],
      "aten::batch_norm: 27.00 us, 27 % of a run above what this machine needs, most in y (18.00 us); 10 % of what "
      "is possible is reached; `fusekit fuse` folds it into the layer before it");
  EXPECT_EQ(texts[2].find("between operators: 20.00 us, 20 % of a run"), 0U);
  EXPECT_EQ(texts[3].find("page faults: 12 a run, about 6.000 us, 6 % of a run"), 0U);
  EXPECT_EQ(next_bottlenecks(profile, 1).size(), 1U);
  profile.machine = {};
  EXPECT_TRUE(next_bottlenecks(profile).empty()) << "without a measured machine nothing is claimed";
}

TEST(MachineSpeed, IsMeasuredOnTheThreadsOfTheProcess) {
  const MachineSpeed speed = measure_speed({"float", "int8", "no such"}, real_clock(), 0);
  EXPECT_GT(speed.flops_per_second.at("float"), 1e8);
  EXPECT_GT(speed.flops_per_second.at("int8"), 1e8);
  EXPECT_EQ(speed.flops_per_second.size(), 2U);
  EXPECT_EQ(speed.threads, at::get_num_threads());
  ASSERT_GT(speed.bandwidth.size(), 5U);
  for (std::size_t i = 1; i < speed.bandwidth.size(); ++i)
    EXPECT_LE(speed.bandwidth[i].bytes_per_second, speed.bandwidth[i - 1].bytes_per_second);
  EXPECT_GT(speed.bandwidth.back().bytes_per_second, 1e8);
  EXPECT_GT(speed.call_us, 0.01);
  EXPECT_GT(speed.fault_us, 0.01);
  MachineSpeed other = speed;
  other.flops_per_second["float"] *= 2;
  other.call_us *= 2;
  EXPECT_EQ(better_of(speed, other).flops_per_second.at("float"), other.flops_per_second["float"]);
  EXPECT_EQ(better_of(speed, other).call_us, speed.call_us);
}

}  // namespace
}  // namespace fusekit::bench
