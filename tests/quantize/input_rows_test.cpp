#include "quantize/weights/input_rows.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"

namespace fusekit::quantize {
namespace {

constexpr std::int64_t kAll = 1 << 20;

/// rows @ weight_matrix^T, as the layer's output: [batch, out, places...].
at::Tensor multiply(const at::Tensor& x, const at::Tensor& weight, const Window& window, at::IntArrayRef shape) {
  const at::Tensor rows = input_rows(x, window, kAll, 0);
  const at::Tensor out =
      rows.matmul(weight_matrix(weight, window.groups).transpose(1, 2));  // [groups, rows, out / groups]
  std::vector<std::int64_t> places{shape[0]};
  places.insert(places.end(), shape.begin() + 2, shape.end());
  places.push_back(shape[1]);
  return out.transpose(0, 1).reshape(places).movedim(-1, 1);
}

void expect_close(const at::Tensor& a, const at::Tensor& b) {
  ASSERT_EQ(a.sizes(), b.sizes());
  EXPECT_TRUE(at::allclose(a, b, 1e-4, 1e-4)) << (a - b).abs().max();
}

TEST(InputRows, TimesTheWeightAreWhatAConvolutionGives) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({2, 8, 11, 9});
  for (const std::int64_t groups : {1, 2, 8}) {
    const at::Tensor w = at::randn({16, 8 / groups, 3, 2});
    const at::Tensor y = at::conv2d(x, w, {}, {2, 1}, {1, 2}, {1, 2}, groups);
    const Window window{{3, 2}, {2, 1}, {1, 2}, {1, 2}, groups};
    expect_close(multiply(x, w, window, y.sizes()), y);
    expect_close(multiply(x.contiguous(at::MemoryFormat::ChannelsLast), w, window, y.sizes()), y);
  }
}

TEST(InputRows, OneAndThreeDimensionsToo) {
  at::manual_seed(2);
  const at::Tensor x1 = at::randn({2, 4, 21});
  const at::Tensor w1 = at::randn({6, 2, 5});
  const at::Tensor y1 = at::conv1d(x1, w1, {}, 2, 3, 2, 2);
  expect_close(multiply(x1, w1, {{5}, {2}, {3}, {2}, 2}, y1.sizes()), y1);
  const at::Tensor x3 = at::randn({2, 4, 5, 6, 7});
  const at::Tensor w3 = at::randn({6, 4, 3, 2, 1});
  const at::Tensor y3 = at::conv3d(x3, w3, {}, {1, 2, 1}, {0, 1, 1});
  expect_close(multiply(x3, w3, {{3, 2, 1}, {1, 2, 1}, {0, 1, 1}, {}, 1}, y3.sizes()), y3);
}

TEST(InputRows, OfALinearAreItsLastDimension) {
  const at::Tensor x = at::randn({2, 5, 7});
  EXPECT_TRUE(at::equal(input_rows(x, {}, kAll, 0), x.view({1, 10, 7})));
  EXPECT_EQ(input_rows(at::randn({7}), {}, kAll, 0).sizes(), (std::vector<std::int64_t>{1, 1, 7}));
}

TEST(InputRows, AnInputWithoutABatchIsABatchOfOne) {
  const at::Tensor x = at::randn({3, 6, 6});
  const Window window{{3, 3}, {}, {}, {}, 1};
  EXPECT_TRUE(at::equal(input_rows(x, window, kAll, 0), input_rows(x.unsqueeze(0), window, kAll, 0)));
}

TEST(InputRows, AreLimitedToSomeThatDependOnTheSampleOnly) {
  const at::Tensor x = at::randn({1, 3, 40, 40});
  const Window window{{3, 3}, {}, {1, 1}, {}, 1};
  const at::Tensor all = input_rows(x, window, kAll, 0);
  EXPECT_EQ(all.size(1), 1600);
  const at::Tensor some = input_rows(x, window, 50, 3);
  EXPECT_EQ(some.sizes(), (std::vector<std::int64_t>{1, 50, 27}));
  EXPECT_TRUE(at::equal(some, input_rows(x, window, 50, 3)));
  EXPECT_FALSE(at::equal(some, input_rows(x, window, 50, 4)));
  // each is one of all, no two are the same
  const at::Tensor equal = some[0].unsqueeze(1).eq(all[0].unsqueeze(0)).all(-1);
  EXPECT_TRUE(equal.any(1).all().item<bool>());
  EXPECT_EQ(equal.any(0).sum().item<std::int64_t>(), 50);
}

TEST(InputRows, AreSpreadEvenly) {
  const at::Tensor x = at::arange(10000, at::kFloat).view({1, 1, 10000});
  for (const std::int64_t sample : {0, 1, 17}) {
    const at::Tensor rows = input_rows(x, {{1}, {}, {}, {}, 1}, 100, sample).flatten();
    EXPECT_LT(rows.diff().max().item<float>(), 300);
    EXPECT_GT(rows.diff().min().item<float>(), 30);
  }
}

TEST(InputRows, AWindowThatDoesNotFitIsRefused) {
  EXPECT_THROW((void)input_rows(at::randn({1, 2, 4, 4}), {{5, 5}, {}, {}, {}, 1}, kAll, 0), Error);
}

}  // namespace
}  // namespace fusekit::quantize
