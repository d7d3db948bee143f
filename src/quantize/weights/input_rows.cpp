#include "quantize/weights/input_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "fusekit/error.h"

namespace fusekit::quantize {
namespace {

/// `count` of `places`, spread evenly, ascending. The golden ratio's multiples leave the evenest gaps, and no stride
/// that could fall in with the rows of an image.
std::vector<std::int64_t> choose_places(std::int64_t places, std::int64_t most, std::int64_t sample) {
  if (places <= most) {
    std::vector<std::int64_t> all(places);
    std::iota(all.begin(), all.end(), 0);
    return all;
  }
  constexpr double golden = 0.6180339887498949;
  std::vector<std::int64_t> chosen(most);
  for (std::int64_t i = 0; i < most; ++i) {
    const double at = static_cast<double>(sample * most + i + 1) * golden;
    chosen[i] = std::min(static_cast<std::int64_t>((at - std::floor(at)) * static_cast<double>(places)), places - 1);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

constexpr int kDims = 3;

/// Along one dimension.
struct Axis {
  std::int64_t size = 1;  ///< of the input
  std::int64_t step = 0;  ///< between its neighbours in memory
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;

  [[nodiscard]] std::int64_t extent() const { return dilation * (kernel - 1) + 1; }
  [[nodiscard]] std::int64_t places() const { return (size + 2 * padding - extent()) / stride + 1; }
};

/// One or two dimensions are three of which the first have size 1.
std::array<Axis, kDims> axes_of(const at::Tensor& x, const Window& window) {
  const auto value = [](const std::vector<std::int64_t>& values, std::size_t i, std::int64_t usual) {
    return values.empty() ? usual : values.at(i);
  };
  std::array<Axis, kDims> axes;
  const std::size_t dims = window.kernel.size();
  for (std::size_t i = 0; i < dims; ++i) {
    const auto dimension = static_cast<std::int64_t>(i) + 2;
    Axis& axis = axes.at(kDims - dims + i);
    axis = {x.size(dimension),          x.stride(dimension),         window.kernel[i],
            value(window.stride, i, 1), value(window.padding, i, 0), value(window.dilation, i, 1)};
    if (axis.size + 2 * axis.padding >= axis.extent()) continue;
    throw Error(ErrorKind::model, fmt::format("a window of {} does not fit into {} numbers", axis.extent(),
                                              axis.size + 2 * axis.padding));
  }
  return axes;
}

/// Where in memory each of the kernel's elements reads for the window at `place`, from the channel's first number on; -1
/// in the padding.
void find_elements(const std::array<Axis, kDims>& axes, std::int64_t place, std::vector<std::int64_t>& elements) {
  std::array<std::int64_t, kDims> first{};
  for (int i = kDims; i-- > 0; place /= axes[i].places()) {
    first[i] = place % axes[i].places() * axes[i].stride - axes[i].padding;
  }
  elements.assign(1, 0);
  for (int i = 0; i < kDims; ++i) {
    std::vector<std::int64_t> finer;
    for (const std::int64_t outer : elements) {
      for (std::int64_t tap = 0; tap < axes[i].kernel; ++tap) {
        const std::int64_t at = first[i] + tap * axes[i].dilation;
        finer.push_back(outer < 0 || at < 0 || at >= axes[i].size ? -1 : outer + at * axes[i].step);
      }
    }
    elements.swap(finer);
  }
}

/// `x`: float32 [batch, channels, ...] of any strides.
at::Tensor rows_of_windows(const at::Tensor& x, const Window& window, std::int64_t most, std::int64_t sample) {
  const std::array<Axis, kDims> axes = axes_of(x, window);
  std::int64_t places_each = 1;
  std::int64_t taps = 1;
  for (const Axis& axis : axes) {
    places_each *= axis.places();
    taps *= axis.kernel;
  }
  const std::vector<std::int64_t> places = choose_places(x.size(0) * places_each, most, sample);
  const auto count = static_cast<std::int64_t>(places.size());
  const std::int64_t channels_each = x.size(1) / window.groups;
  at::Tensor rows = at::empty({window.groups, count, channels_each * taps});
  auto* out = rows.data_ptr<float>();
  const auto* data = x.data_ptr<float>();
  const std::int64_t channel_step = x.stride(1);
  std::vector<std::int64_t> elements;
  for (std::int64_t row = 0; row < count; ++row) {
    find_elements(axes, places[row] % places_each, elements);
    const float* channel = data + places[row] / places_each * x.stride(0);
    for (std::int64_t c = 0; c < x.size(1); ++c, channel += channel_step) {
      float* to = out + ((c / channels_each * count + row) * channels_each + c % channels_each) * taps;
      for (std::int64_t t = 0; t < taps; ++t) to[t] = elements[t] < 0 ? 0 : channel[elements[t]];
    }
  }
  return rows;
}

}  // namespace

at::Tensor input_rows(const at::Tensor& x, const Window& window, std::int64_t most, std::int64_t sample) {
  const at::Tensor input = x.detach();
  const auto dims = static_cast<std::int64_t>(window.kernel.size());
  if (dims == 0) {
    const at::Tensor rows = input.reshape({-1, input.size(-1)});
    const at::Tensor places = at::tensor(choose_places(rows.size(0), most, sample), at::kLong);
    return rows.index_select(0, places).to(at::kFloat).unsqueeze(0);
  }
  if (dims > kDims || (input.dim() != dims + 1 && input.dim() != dims + 2)) {
    throw Error(ErrorKind::model,
                fmt::format("an input of {} dimensions for a window of {}", input.dim(), window.kernel.size()));
  }
  const at::Tensor floats = input.to(at::kFloat);
  return rows_of_windows(floats.dim() == dims + 1 ? floats.unsqueeze(0) : floats, window, most, sample);
}

at::Tensor weight_matrix(const at::Tensor& weight, std::int64_t groups) {
  return weight.reshape({groups, weight.size(0) / groups, -1});
}

}  // namespace fusekit::quantize
