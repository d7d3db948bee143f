// FuseKit's observers against PyTorch's, on the same data: scales and zero points are equal, bit for bit.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "quantize/made_up_data.h"
#include "quantize/observe/observer.h"
#include "quantize/weights/weight.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"

namespace fusekit::quantize {
namespace {

constexpr int kChannels = 10;  // of each sample

const std::string kFolder = FUSEKIT_SOURCE_DIR "/tests/quantize/";

/// A line of torch_observers.py.
struct Expected {
  std::string data;
  std::string observer;
  Levels levels;
  std::vector<double> scales;
  std::int64_t zero_point = 0;
};

std::vector<Expected> parse(std::istream& text) {
  std::vector<Expected> all;
  for (std::string line; std::getline(text, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words(line);
    Expected expected;
    std::string scales;
    words >> expected.data >> expected.observer >> expected.levels.low >> expected.levels.high >> scales >>
        expected.zero_point;
    std::istringstream separate(scales);
    for (std::string scale; std::getline(separate, scale, ',');) {
      expected.scales.push_back(std::strtod(scale.c_str(), nullptr));
    }
    all.push_back(expected);
  }
  return all;
}

std::vector<double> scales_of_weight(const std::vector<at::Tensor>& samples, bool per_channel) {
  const at::Tensor weight = at::stack(samples).view({static_cast<std::int64_t>(samples.size()) * kChannels, -1});
  return weight_scales(weight, {per_channel, kSigned8, WeightScale::half_of_steps}, 0);
}

void expect_equal(const Expected& expected, const std::vector<at::Tensor>& samples) {
  SCOPED_TRACE(expected.data + " " + expected.observer + " up to " + std::to_string(expected.levels.high));
  if (expected.observer == "weight" || expected.observer == "channels") {
    EXPECT_EQ(scales_of_weight(samples, expected.observer == "channels"), expected.scales);
    EXPECT_EQ(expected.zero_point, 0);
    return;
  }
  const auto observer = make_observer(parse_observer(expected.observer));
  for (const at::Tensor& sample : samples) observer->observe(sample);
  const QParams qparams = observer->qparams(expected.levels);
  EXPECT_EQ(qparams.scale, expected.scales.at(0)) << std::hexfloat << qparams.scale << " " << expected.scales.at(0);
  EXPECT_EQ(qparams.zero_point, expected.zero_point);
}

TEST(TorchObservers, GoldenScalesAndZeroPointsAreMetExactly) {
  std::ifstream file(kFolder + "torch_observers.tsv");
  std::size_t compared = 0;
  const std::vector<Expected> goldens = parse(file);
  for (const test::MadeUpData& data : test::made_up_data()) {
    for (const Expected& golden : goldens) {
      if (golden.data != data.name) continue;
      expect_equal(golden, data.samples());
      ++compared;
    }
  }
  EXPECT_EQ(compared, goldens.size());
  EXPECT_EQ(compared, 15 * 8);
}

/// The Python that is asked: $FUSEKIT_PYTHON, or python3.
std::string python() {
  const char* chosen = std::getenv("FUSEKIT_PYTHON");
  return chosen == nullptr ? "python3" : chosen;
}

/// Random samples, some wider, some narrower than those before, many zeros or none.
std::vector<at::Tensor> random_samples(int seed) {
  at::manual_seed(seed);
  std::vector<at::Tensor> samples;
  for (int i = 0; i < 5; ++i) {
    at::Tensor x = at::randn({20000}) * (0.5 + at::rand({1}).item<double>() * (seed % 3)) + seed % 5 - 2;
    samples.push_back(seed % 2 == 0 ? x.relu() : x);
  }
  return samples;
}

/// By hand, with a Python that has torch 2: tests/README.md.
TEST(TorchObservers, DISABLED_RandomDataGivesWhatPythonsTorchGives) {
  const test::TemporaryFolder folder;
  for (int seed = 0; seed < 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::vector<at::Tensor> samples = random_samples(seed);
    const at::Tensor all = at::cat(samples);
    const std::string file = folder / "numbers.f32";
    test::write_bytes(file, {reinterpret_cast<const char*>(all.data_ptr<float>()), all.numel() * sizeof(float)});
    std::vector<std::string> words{python(), kFolder + "torch_observers.py", "observe", file};
    for (const at::Tensor& sample : samples) words.push_back(std::to_string(sample.numel()));

    const test::ProgramResult result = test::run_command(words);
    ASSERT_EQ(result.exit_code, 0) << result.err << "set FUSEKIT_PYTHON to a Python that has torch 2";
    std::istringstream text(result.out);
    const std::vector<Expected> lines = parse(text);
    ASSERT_EQ(lines.size(), 8);
    for (const Expected& expected : lines) expect_equal(expected, samples);
  }
}

}  // namespace
}  // namespace fusekit::quantize
