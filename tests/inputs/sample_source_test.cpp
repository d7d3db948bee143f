#include "inputs/sample_source.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"
#include "inputs/batch.h"
#include "support/module.h"
#include "support/npy.h"
#include "support/temporary_folder.h"
#include "support/text.h"

// A file of tensors is one sample or many: what decides, and what becomes of it.

namespace fusekit {
namespace {

using inputs::SampleSource;

torch::jit::Module net(const std::string& body, const std::string& arguments = "x") {
  return test::make_module("Net", {{"weight", at::arange(12, at::kFloat).reshape({4, 3}) / 7}},
                           "def forward(self, " + arguments + "):\n    " + body + "\n");
}

/// Of forward's code, for data of six rows of three features.
std::int64_t batch_of(const std::string& body) {
  const torch::jit::Module module = net(body);
  at::manual_seed(1);
  return inputs::batch_by_runs([&] { return module; }, "forward", {at::randn({6, 3})});
}

TEST(Batch, RowsThatAreTakenByThemselvesAreSamples) {
  EXPECT_EQ(batch_of("return torch.relu(torch.linear(x, self.weight))"), 1);
  EXPECT_EQ(batch_of("return x.argmax(1), (x * 2, [x, x + 1])"), 1);
  EXPECT_EQ(batch_of("return {\"a\": x, \"weights\": self.weight}"), 1);
  EXPECT_EQ(batch_of("return [{\"boxes\": row * 2} for row in x.unbind(0)]"), 1);
  EXPECT_EQ(batch_of("return x.reshape(1, 3) * 2"), 1) << "more than one does not run";
  EXPECT_EQ(batch_of("return x.repeat_interleave(3, 0)"), 1);
  EXPECT_EQ(batch_of("return x, x.t().unsqueeze(0)"), 1)
      << "rows may come out in another dimension, as an LSTM's state";
}

TEST(Batch, RowsThatMeetAreOneSample) {
  EXPECT_EQ(batch_of("return x.softmax(0)"), kAsTheyAre);
  EXPECT_EQ(batch_of("return x.cumsum(0)"), kAsTheyAre) << "steps in time";
  EXPECT_EQ(batch_of("return (x - x.mean(0)) / (x.var(0, unbiased=False) + 1)"), kAsTheyAre);
  EXPECT_EQ(batch_of("return x.flip(0).cumsum(0).flip(0)"), kAsTheyAre) << "steps in time, backwards";
  EXPECT_EQ(batch_of("return x.sum(0)"), kAsTheyAre);
  EXPECT_EQ(batch_of("return x.flip(0)"), kAsTheyAre);
  EXPECT_EQ(batch_of("return self.weight"), kAsTheyAre) << "nothing shows it";
  EXPECT_EQ(batch_of("return x.view(2, 3, 3) * 2"), kAsTheyAre) << "one row does not run";
  EXPECT_EQ(batch_of("return x.view(6, 3) if x.size(0) != 1 else x"), kAsTheyAre) << "all run, two do not";
}

TEST(Batch, ArgumentsWithoutRowsBelongToEachSample) {
  const torch::jit::Module module =
      net("return x * scale + torch.linear(y, self.weight).sum(1, keepdim=True) * n", "x, y, scale, n: int");
  const inputs::Sample whole{at::randn({4, 3}), at::randn({4, 3}), at::ones({1, 3}), 2};
  EXPECT_EQ(inputs::batch_by_runs([&] { return module; }, "forward", whole), 1);
  ASSERT_EQ(inputs::pieces_of(whole, 1), 4U);
  const inputs::Sample third = inputs::piece_of(whole, 1, 2);
  EXPECT_TRUE(third[0].toTensor().equal(whole[0].toTensor().slice(0, 2, 3)));
  EXPECT_TRUE(third[1].toTensor().equal(whole[1].toTensor().slice(0, 2, 3)));
  EXPECT_TRUE(third[2].toTensor().equal(at::ones({1, 3})));
  EXPECT_EQ(third[3].toInt(), 2);
  EXPECT_EQ(inputs::pieces_of({at::ones({4, 3}), at::ones({5, 3})}, 1), 1U) << "no common rows";
  EXPECT_EQ(inputs::pieces_of({at::ones({1, 3}), 3}, 1), 1U);
}

class Rows : public testing::Test {
 protected:
  Rows() { test::write_npy(folder_ / "rows.npy", rows_); }

  [[nodiscard]] InputOptions options(std::vector<std::vector<std::int64_t>> dims = {}) const {
    InputOptions options;
    options.file = folder_ / "rows.npy";
    options.dims = std::move(dims);
    return options;
  }
  InputSummary resolve(const InputOptions& options) { return inputs::resolve_inputs(module_, options); }

  test::TemporaryFolder folder_;
  at::Tensor rows_ = at::arange(15, at::kFloat).reshape({5, 3});
  torch::jit::Module module_ = net("return torch.linear(x, self.weight)");
};

TEST_F(Rows, AreTheSamplesOfANetworkThatTakesOne) {
  const InputSummary summary = resolve(options());
  EXPECT_EQ(summary.text, "rows.npy (5 samples of 1x3)");
  EXPECT_EQ(summary.samples, 5U);
  EXPECT_EQ(summary.options.batch, 1);
  EXPECT_TRUE(inputs::draw_sample(summary.options, 3).at(0).toTensor().equal(rows_.slice(0, 3, 4)));
  EXPECT_TRUE(inputs::draw_sample(summary.options, 8).at(0).toTensor().equal(rows_.slice(0, 3, 4)));
  EXPECT_EQ(resolve(summary.options).text, summary.text) << "what is settled stays so";
}

TEST_F(Rows, GivenShapesTellHowManyAreASample) {
  EXPECT_EQ(resolve(options({{1, 3}})).text, "rows.npy (5 samples of 1x3)");
  EXPECT_EQ(resolve(options({{2, 3}})).text, "rows.npy (2 samples of 2x3; 1 row is left over)");
  EXPECT_EQ(resolve(options({{5, 3}})).text, "rows.npy (1 sample of 5x3)");
  EXPECT_EQ(resolve(options({{7, 3}})).text, "rows.npy (1 sample of 5x3)");
  const InputSummary pairs = resolve(options({{2, 3}}));
  EXPECT_TRUE(inputs::draw_sample(pairs.options, 1).at(0).toTensor().equal(rows_.slice(0, 2, 4)));
  module_ = net("return x.softmax(0)");
  EXPECT_EQ(resolve(options()).text, "rows.npy (1 sample of 5x3)");
  EXPECT_EQ(resolve(options({{1, 3}})).text, "rows.npy (5 samples of 1x3)");
  try {
    resolve(options({{1, 3, 8, 8}}));
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), (folder_ / "rows.npy").string() + " holds 5x3, and InputOptions::dims is 1x3x8x8");
  }
}

TEST_F(Rows, OfAListOfSamplesStayTogether) {
  c10::impl::GenericList samples(c10::AnyType::get());
  for (const std::int64_t rows : {5, 2}) samples.push_back(c10::ivalue::Tuple::create(rows_.slice(0, 0, rows).clone()));
  const std::vector<char> bytes = torch::jit::pickle_save(samples);
  test::write_bytes(folder_ / "list.pt", {bytes.begin(), bytes.end()});
  InputOptions list = options();
  list.file = folder_ / "list.pt";
  EXPECT_EQ(resolve(list).text, "list.pt (2 samples, the first of 5x3)");
}

TEST_F(Rows, OfAFolderAreTakenApartFileByFile) {
  std::filesystem::create_directory(folder_ / "data");
  test::write_npy(folder_ / "data/a.npy", rows_.slice(0, 0, 1));
  test::write_npy(folder_ / "data/b.npy", rows_);
  test::write_npy(folder_ / "data/c.npy", rows_.slice(0, 0, 2));
  InputOptions folder = options();
  folder.file = folder_ / "data";
  const InputSummary summary = resolve(folder);
  EXPECT_EQ(summary.text, "data (8 samples of 1x3)");
  SampleSource source({folder.file}, {}, {"x"});
  source.set_batch(1);
  EXPECT_EQ(source.at(0)->name, "data/a.npy");
  EXPECT_EQ(source.at(4)->name, "data/b.npy[3]");
  EXPECT_TRUE(source.at(4)->values.at(0).toTensor().equal(rows_.slice(0, 3, 4)));
  EXPECT_EQ(source.at(4)->values.at(0).toTensor().storage().nbytes(), 3 * sizeof(float)) << "the file stays in memory";
  EXPECT_FALSE(source.at(8));
}

TEST_F(Rows, AreLookedAtInTheStateOfTheFile) {
  module_ =
      test::make_module("Net", {{"running_sum", at::zeros({1, 3})}},
                        "def forward(self, x):\n    self.running_sum.add_(x[0:1])\n    return x + self.running_sum\n");
  test::save_module(module_, folder_ / "net.pt");
  EXPECT_EQ(resolve_inputs(folder_ / "net.pt", options()).text, "rows.npy (1 sample of 5x3)");
  module_ =
      test::make_module("Net", {{"running_count", at::zeros({1})}},
                        "def forward(self, x):\n    self.running_count.add_(1)\n    return x + self.running_count\n");
  test::save_module(module_, folder_ / "net.pt");
  EXPECT_EQ(resolve_inputs(folder_ / "net.pt", options()).text, "rows.npy (5 samples of 1x3)");
}

TEST_F(Rows, TypesAreThoseOfTheFile) {
  InputOptions typed = options({{1, 3}});
  typed.types = {"double"};
  EXPECT_THROW(resolve(typed), Error);
}

TEST(Pictures, AreInputs) {
  const torch::jit::Module module = net("return x * 2");
  InputOptions options;
  options.file = std::filesystem::path(FUSEKIT_SOURCE_DIR) / "tests/inputs/pictures/color.png";
  options.pictures.crop = 8;
  const InputSummary summary = inputs::resolve_inputs(module, options);
  EXPECT_EQ(summary.text, "color.png (1 sample of 1x3x8x8)");
  EXPECT_EQ(inputs::draw_sample(summary.options, 0).at(0).toTensor().sizes(), (std::vector<std::int64_t>{1, 3, 8, 8}));
  options.pictures.crop = 0;
  EXPECT_EQ(inputs::resolve_inputs(module, options).text, "color.png (1 sample)");
  options.pictures.std = {0};
  EXPECT_THROW(inputs::resolve_inputs(module, options), Error);
}

}  // namespace
}  // namespace fusekit
