#include "inputs/pictures/resample.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace fusekit::inputs {
namespace {

constexpr int kPrecision = 22;  // bits of a weight's fraction: 32 minus 8 of the pixel and 2 in reserve

/// The inputs of one output pixel: `weights.size()` input pixels from `first` on.
struct Taps {
  std::int64_t first = 0;
  std::vector<std::int32_t> weights;
};

/// The taps of output pixels [begin, begin + count) where `in` pixels become `out`.
std::vector<Taps> taps_of(std::int64_t in, std::int64_t out, std::int64_t begin, std::int64_t count) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double support = std::max(scale, 1.0);  // the triangle's half width, in input pixels
  const double inverse = 1.0 / support;
  std::vector<Taps> all;
  for (std::int64_t k = begin; k < begin + count; ++k) {
    const double center = (static_cast<double>(k) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(center - support + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(center + support + 0.5), in);
    std::vector<double> exact;
    double sum = 0;
    for (std::int64_t x = 0; x < end - first; ++x) {
      const double distance = std::abs((static_cast<double>(x + first) - center + 0.5) * inverse);
      exact.push_back(distance < 1.0 ? 1.0 - distance : 0.0);
      sum += exact.back();
    }
    Taps taps{first, {}};
    for (const double weight : exact)
      taps.weights.push_back(static_cast<std::int32_t>(0.5 + weight / sum * (1 << kPrecision)));
    all.push_back(std::move(taps));
  }
  return all;
}

std::uint8_t rounded(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kPrecision, 0, 255)); }

template <int kChannels>
void filter_row(const std::uint8_t* in, std::uint8_t* out, const std::vector<Taps>& taps) {
  for (const Taps& tap : taps) {
    std::int32_t sums[kChannels];
    std::fill_n(sums, kChannels, 1 << (kPrecision - 1));
    const std::uint8_t* pixel = in + tap.first * kChannels;
    for (const std::int32_t weight : tap.weights)
      for (int c = 0; c < kChannels; ++c) sums[c] += *pixel++ * weight;
    for (int c = 0; c < kChannels; ++c) *out++ = rounded(sums[c]);
  }
}

/// Rows [first, first + rows) of `in`, resized to `width`; only the columns of `box` are computed.
Picture horizontal(const Picture& in, std::int64_t width, const Box& box, std::int64_t first, std::int64_t rows) {
  Picture out = Picture::of_size(box.width, rows, in.channels);
  const std::vector<Taps> taps =
      width == in.width ? std::vector<Taps>{} : taps_of(in.width, width, box.left, box.width);
  for (std::int64_t y = 0; y < rows; ++y) {
    const std::uint8_t* row = in.row(first + y);
    if (taps.empty())
      std::copy_n(row + box.left * in.channels, box.width * in.channels, out.row(y));
    else if (in.channels == 1)
      filter_row<1>(row, out.row(y), taps);
    else
      filter_row<3>(row, out.row(y), taps);
  }
  return out;
}

/// `in` starts at row `first` of the picture that the `taps` refer to.
Picture vertical(const Picture& in, const std::vector<Taps>& taps, std::int64_t first) {
  Picture out = Picture::of_size(in.width, static_cast<std::int64_t>(taps.size()), in.channels);
  const std::int64_t bytes = in.width * in.channels;
  std::vector<std::int32_t> sums(static_cast<std::size_t>(bytes));
  for (std::size_t k = 0; k < taps.size(); ++k) {
    std::ranges::fill(sums, 1 << (kPrecision - 1));
    for (std::size_t y = 0; y < taps[k].weights.size(); ++y) {
      const std::uint8_t* row = in.row(taps[k].first - first + static_cast<std::int64_t>(y));
      const std::int32_t weight = taps[k].weights[y];
      for (std::size_t x = 0; x < sums.size(); ++x) sums[x] += row[x] * weight;
    }
    std::ranges::transform(sums, out.row(static_cast<std::int64_t>(k)), rounded);
  }
  return out;
}

}  // namespace

Picture resize(const Picture& picture, std::int64_t width, std::int64_t height, const Box& box) {
  if (height == picture.height) return horizontal(picture, width, box, box.top, box.height);
  const std::vector<Taps> taps = taps_of(picture.height, height, box.top, box.height);
  const std::int64_t first = taps.front().first;
  const std::int64_t rows = taps.back().first + static_cast<std::int64_t>(taps.back().weights.size()) - first;
  return vertical(horizontal(picture, width, box, first, rows), taps, first);
}

}  // namespace fusekit::inputs
