// Times that another tool measured.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "fusekit/bench_analysis.h"
#include "fusekit/error.h"
#include "support/temporary_folder.h"

namespace fusekit::bench {
namespace {

TEST(RecordedTimes, AreReadByProcessAndABadLineIsNamed) {
  const fusekit::test::TemporaryFolder folder;
  fusekit::test::write_bytes(folder / "a.txt", "# us\n1.5\n2.5\n\n\n3\r\n");
  EXPECT_EQ(read_recorded_times(folder / "a.txt"), (std::vector<std::vector<double>>{{1.5, 2.5}, {3}}));
  fusekit::test::write_bytes(folder / "b.txt", "1\n2 ms\n");
  try {
    read_recorded_times(folder / "b.txt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("line 2: '2 ms'"), std::string::npos) << error.message();
  }
  for (const char* bad : {"", "0\n", "-1\n", "nan\n", "inf\n"}) {
    fusekit::test::write_bytes(folder / "c.txt", bad);
    EXPECT_THROW(read_recorded_times(folder / "c.txt"), Error) << bad;
  }
  EXPECT_THROW(read_recorded_times(folder / "none.txt"), Error);
  EXPECT_THROW(read_recorded_times(folder.path()), Error);
}

TEST(RecordedTimes, AreReadAsOtherToolsWriteThem) {
  const fusekit::test::TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    fusekit::test::write_bytes(folder / "t", text);
    return read_recorded_times(folder / "t");
  };
  using Groups = std::vector<std::vector<double>>;
  const std::string run =
      "Starting benchmark.\nRunning warmup runs.\nMain runs.\n"
      "PyTorchObserver {\"type\": \"NET\", \"unit\": \"us\", \"metric\": \"latency\", \"value\": \"6189.07\"}\n"
      "PyTorchObserver {\"type\": \"conv\", \"unit\": \"us\", \"metric\": \"latency\", \"value\": \"7\"}\r\n"
      "PyTorchObserver {\"type\": \"NET\", \"unit\": \"us\", \"metric\": \"latency\", \"value\": \"6200\"}\r\n"
      "Main run finished. Microseconds per iter: 6194.5. Iters per second: 161.434\n";
  EXPECT_EQ(read(run + run), (Groups{{6189.07, 6200}, {6189.07, 6200}}));
  EXPECT_EQ(read(R"({"results": [{"command": "a", "mean": 2, "times": [0.5, 0.25]}]})"), (Groups{{5e5, 2.5e5}}));
  EXPECT_EQ(read(R"({"context": {}, "benchmarks": [
                     {"name": "B/1", "run_name": "B/1", "run_type": "iteration", "real_time": 3, "time_unit": "ms"},
                     {"name": "B/1", "run_name": "B/1", "run_type": "iteration", "real_time": 4, "time_unit": "ns"},
                     {"name": "B/1_mean", "run_name": "B/1", "run_type": "aggregate", "real_time": 9}]})"),
            (Groups{{3000, 0.004}}));
  EXPECT_EQ(read("\xEF\xBB\xBF"
                 "1\n2\n"),
            (Groups{{1, 2}}));
  for (const char* bad : {R"({"benchmarks": [{"name": "a", "real_time": 1, "time_unit": "h"}]})", "{", "{}",
                          R"({"results": []})", R"({"results": [{"times": [-1]}]})", R"({"results": [{}]})",
                          R"({"benchmarks": [{"name": "a", "real_time": 1}, {"name": "b", "real_time": 1}]})",
                          "PyTorchObserver {\"type\": \"NET\"}\n",
                          "PyTorchObserver {\"type\": \"NET\", \"unit\": \"s\", \"value\": \"1\"}\n"})
    EXPECT_THROW(read(bad), Error) << bad;
}

std::vector<std::vector<double>> processes(double level, std::size_t count, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> noise(0, 0.01);
  std::vector<std::vector<double>> groups(count);
  for (auto& group : groups)
    for (int i = 0; i < 40; ++i) group.push_back(level * std::exp(noise(generator)));
  return groups;
}

TEST(RecordedTimes, AreComparedByProcess) {
  const Report report = compare_recorded_times(processes(100, 6, 1), "a", processes(90, 6, 2), "b");
  EXPECT_EQ(report.ratios.at(0).verdict, Verdict::faster);
  EXPECT_NEAR(report.ratios.at(0).ratio, 100.0 / 90, 0.01);
  EXPECT_TRUE(report.warnings.empty());
}

TEST(RecordedTimes, OfOneProcessEachAreComparedWithAWarning) {
  const Report report = compare_recorded_times(processes(100, 1, 1), "a", processes(110, 1, 2), "b");
  EXPECT_EQ(report.ratios.at(0).verdict, Verdict::slower);
  EXPECT_EQ(report.warnings.size(), 1U);
  EXPECT_EQ(compare_recorded_times(processes(100, 1, 1), "a", processes(100, 1, 2), "b").ratios.at(0).verdict,
            Verdict::no_difference);
  EXPECT_THROW(compare_recorded_times({{1, 2}}, "a", {{1, 2}}, "b"), Error);
}

}  // namespace
}  // namespace fusekit::bench
