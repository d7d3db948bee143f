// torchvision::nms and torchvision::roi_align, by which torchvision's detection networks call what does not come with
// LibTorch, for the CPU and for inference. pip's torchvision has them in a library that wants CUDA's and Python's; this
// one needs LibTorch alone: `--library .../libfusekit_vision.so`.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

/// Greedy non-maximum suppression: the rows of `boxes` (N, 4: x1, y1, x2, y2) that stay, best score first. A box goes where
/// one that stays overlaps it (intersection over union) by more than `threshold`.
at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, double threshold) {
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4, "boxes should be (N, 4), got ", boxes.sizes());
  TORCH_CHECK(scores.dim() == 1 && scores.size(0) == boxes.size(0), "scores should be (N), got ", scores.sizes());
  const at::Tensor order = std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
  const at::Tensor sorted = boxes.index_select(0, order).to(at::kFloat).contiguous();
  const auto box = sorted.accessor<float, 2>();
  const auto area = [&box](std::int64_t i) { return (box[i][2] - box[i][0]) * (box[i][3] - box[i][1]); };
  std::vector<bool> gone(static_cast<std::size_t>(sorted.size(0)), false);
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < sorted.size(0); ++i) {
    if (gone[static_cast<std::size_t>(i)]) continue;
    kept.push_back(i);
    for (std::int64_t j = i + 1; j < sorted.size(0); ++j) {
      const float width = std::min(box[i][2], box[j][2]) - std::max(box[i][0], box[j][0]);
      const float height = std::min(box[i][3], box[j][3]) - std::max(box[i][1], box[j][1]);
      const float both = std::max(width, 0.0F) * std::max(height, 0.0F);
      if (both / (area(i) + area(j) - both) > static_cast<float>(threshold)) gone[static_cast<std::size_t>(j)] = true;
    }
  }
  return order.index_select(0, at::tensor(kept, at::kLong));
}

/// One point of a plane (height, width), bilinear; zero outside by more than one pixel.
float interpolate(const float* plane, std::int64_t height, std::int64_t width, float y, float x) {
  if (y < -1 || y > static_cast<float>(height) || x < -1 || x > static_cast<float>(width)) return 0;
  y = std::clamp(y, 0.0F, static_cast<float>(height - 1));
  x = std::clamp(x, 0.0F, static_cast<float>(width - 1));
  const auto top = static_cast<std::int64_t>(y);
  const auto left = static_cast<std::int64_t>(x);
  const std::int64_t bottom = std::min(top + 1, height - 1);
  const std::int64_t right = std::min(left + 1, width - 1);
  const float down = y - static_cast<float>(top);
  const float across = x - static_cast<float>(left);
  const auto row = [&](std::int64_t i) {
    return plane[i * width + left] * (1 - across) + plane[i * width + right] * across;
  };
  return row(top) * (1 - down) + row(bottom) * down;
}

/// One side of a region: where its cells begin, how large they are, and how many points are taken in each.
struct Side {
  float begin = 0;
  float cell = 0;
  std::int64_t points = 0;

  Side(float from, float to, double scale, std::int64_t cells, std::int64_t sampling, bool aligned) {
    const float shift = aligned ? 0.5F : 0.0F;
    begin = from * static_cast<float>(scale) - shift;
    const float length = to * static_cast<float>(scale) - shift - begin;
    cell = (aligned ? length : std::max(length, 1.0F)) / static_cast<float>(cells);
    points = sampling > 0 ? sampling : static_cast<std::int64_t>(std::ceil(cell));
  }
  [[nodiscard]] float point(std::int64_t k, std::int64_t i) const {
    return begin + cell * (static_cast<float>(k) + (static_cast<float>(i) + 0.5F) / static_cast<float>(points));
  }
};

/// Mask R-CNN's RoIAlign (He et al. 2017): `rois` (K, 5: image, x1, y1, x2, y2) of `input` (N, C, H, W), each divided
/// into `rows` x `columns` cells, the mean of interpolated points in each: (K, C, rows, columns).
at::Tensor roi_align(const at::Tensor& input, const at::Tensor& rois, double scale, std::int64_t rows,
                     std::int64_t columns, std::int64_t sampling, bool aligned) {
  TORCH_CHECK(input.dim() == 4, "input should be (N, C, H, W), got ", input.sizes());
  TORCH_CHECK(rois.dim() == 2 && rois.size(1) == 5, "rois should be (K, 5), got ", rois.sizes());
  const at::Tensor planes = input.to(at::kFloat).contiguous();
  const at::Tensor regions = rois.to(at::kFloat).contiguous();
  const std::int64_t channels = planes.size(1);
  const std::int64_t height = planes.size(2);
  const std::int64_t width = planes.size(3);
  at::Tensor output = at::zeros({regions.size(0), channels, rows, columns}, planes.options());
  const auto region = regions.accessor<float, 2>();
  auto cells = output.accessor<float, 4>();
  for (std::int64_t k = 0; k < regions.size(0); ++k) {
    const auto image = static_cast<std::int64_t>(region[k][0]);
    TORCH_CHECK(image >= 0 && image < planes.size(0), "region ", k, " is of image ", image, " of ", planes.size(0));
    const Side down(region[k][2], region[k][4], scale, rows, sampling, aligned);
    const Side across(region[k][1], region[k][3], scale, columns, sampling, aligned);
    const float points = static_cast<float>(std::max<std::int64_t>(down.points * across.points, 1));
    for (std::int64_t c = 0; c < channels; ++c) {
      const float* plane = planes.data_ptr<float>() + (image * channels + c) * height * width;
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j) {
          float sum = 0;
          for (std::int64_t y = 0; y < down.points; ++y)
            for (std::int64_t x = 0; x < across.points; ++x)
              sum += interpolate(plane, height, width, down.point(i, y), across.point(j, x));
          cells[k][c][i][j] = sum / points;
        }
    }
  }
  return output.to(input.scalar_type());
}

}  // namespace

TORCH_LIBRARY(torchvision, library) {
  library.def("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor", nms);
  library.def(
      "roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, "
      "int sampling_ratio, bool aligned) -> Tensor",
      roi_align);
}
