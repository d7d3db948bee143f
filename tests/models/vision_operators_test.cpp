// torchvision's two operators in models/vision.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>

#include "fusekit/runtime.h"

namespace fusekit {
namespace {

c10::TypedOperatorHandle<at::Tensor(const at::Tensor&, const at::Tensor&, double)> nms() {
  load_libraries({FUSEKIT_VISION});
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow("torchvision::nms", "")
      .typed<at::Tensor(const at::Tensor&, const at::Tensor&, double)>();
}

at::Tensor roi_align(const at::Tensor& input, const at::Tensor& rois, double scale, std::int64_t size,
                     std::int64_t sampling, bool aligned) {
  using Signature =
      at::Tensor(const at::Tensor&, const at::Tensor&, double, std::int64_t, std::int64_t, std::int64_t, bool);
  load_libraries({FUSEKIT_VISION});
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow("torchvision::roi_align", "")
      .typed<Signature>()
      .call(input, rois, scale, size, size, sampling, aligned);
}

TEST(VisionOperators, NmsKeepsTheBestOfThoseThatOverlap) {
  const at::Tensor boxes =
      at::tensor({0., 0., 10., 10., 0., 0., 10., 9., 0., 0., 10., 5., 50., 50., 60., 60.}).view({4, 4}).to(at::kFloat);
  const at::Tensor scores = at::tensor({0.5F, 0.9F, 0.8F, 0.1F});
  // Overlaps: 0 with 1: 0.9; 0 with 2: 0.5; 1 with 2: 0.556
  EXPECT_TRUE(nms().call(boxes, scores, 0.6).equal(at::tensor({1, 2, 3}, at::kLong)));
  EXPECT_TRUE(nms().call(boxes, scores, 0.5).equal(at::tensor({1, 3}, at::kLong)));
  EXPECT_TRUE(nms().call(boxes, scores, 0.95).equal(at::tensor({1, 2, 0, 3}, at::kLong)));
  EXPECT_EQ(nms().call(at::zeros({0, 4}), at::zeros({0}), 0.5).numel(), 0);
}

/// Interpolation is exact on a plane, so that each cell's mean is its value at the cell's centre.
TEST(VisionOperators, RoiAlignIsExactOnPlanes) {
  const at::Tensor y = at::arange(32, at::kFloat).view({1, 1, 32, 1});
  const at::Tensor x = at::arange(32, at::kFloat).view({1, 1, 1, 32});
  const at::Tensor input = at::cat({3 * y + 2 * x, y - 5 * x + 1}, 1);
  const at::Tensor rois = at::tensor({0., 8., 4., 40., 52.}).view({1, 5}).to(at::kFloat);
  for (const bool aligned : {false, true})
    for (const std::int64_t sampling : {0, 2}) {
      const at::Tensor output = roi_align(input, rois, 0.5, 4, sampling, aligned);
      const double shift = aligned ? 0.5 : 0;
      const at::Tensor rows = 2 - shift + 24 * (at::arange(4, at::kDouble) + 0.5) / 4;
      const at::Tensor columns = 4 - shift + 16 * (at::arange(4, at::kDouble) + 0.5) / 4;
      const at::Tensor expected = at::stack({3 * rows.view({4, 1}) + 2 * columns, rows.view({4, 1}) - 5 * columns + 1});
      EXPECT_TRUE(output.squeeze(0).to(at::kDouble).allclose(expected, 1e-5, 1e-4)) << output << expected;
    }
}

TEST(VisionOperators, RoiAlignTakesTheImageThatIsNamed) {
  const at::Tensor input = at::arange(2, at::kFloat).view({2, 1, 1, 1}).expand({2, 1, 8, 8});
  const at::Tensor rois = at::tensor({1., 0., 0., 4., 4., 0., 0., 0., 4., 4.}).view({2, 5}).to(at::kFloat);
  EXPECT_TRUE(
      roi_align(input, rois, 1, 2, 2, false).equal(at::tensor({1.0F, 0.0F}).view({2, 1, 1, 1}).expand({2, 1, 2, 2})));
  EXPECT_THROW(roi_align(input, rois + 1, 1, 2, 2, false), c10::Error);
}

}  // namespace
}  // namespace fusekit
