// What is chosen about a weight before it is rounded: its target and its scales.
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>

#include "quantize/weights/cholesky.h"
#include "quantize/weights/rounding.h"

namespace fusekit::quantize {

at::Tensor adapted_weight(const at::Tensor& weight, const at::Tensor& second, const at::Tensor& residual,
                          double damping) {
  return weight.detach().to(at::kFloat) + times_inverse(residual.to(at::kFloat), second.to(at::kFloat), damping);
}

namespace {

/// What rounding `in` weights to levels of this scale costs, each error weighed by its input's power.
double squared_error(const float* weight, const float* power, std::int64_t in, float scale, Levels levels) {
  constexpr float round = 0x1.8p23F;  // adding and taking it away rounds to a whole number, four at once
  const auto low = static_cast<float>(levels.low);
  const auto high = static_cast<float>(levels.high);
  const float inverse = 1 / scale;
  double sum = 0;
  for (std::int64_t i = 0; i < in; ++i) {
    const float level = std::min(std::max(weight[i] * inverse, low), high);
    const float error = (level + round - round) * scale - weight[i];
    sum += static_cast<double>(error * error * power[i]);
  }
  return sum;
}

}  // namespace

std::vector<double> search_scales(const at::Tensor& weight, const std::vector<double>& start, Levels levels,
                                  const at::Tensor& second, double least_factor) {
  constexpr int steps = 50;
  const at::Tensor w = weight.detach().to(at::kFloat).contiguous();
  const std::int64_t rows = w.size(1);
  const std::int64_t in = w.size(2);
  const at::Tensor power =
      second.defined() ? second.diagonal(0, 1, 2).to(at::kFloat).contiguous() : at::ones({w.size(0), in});
  const bool shared = start.size() == 1;
  const auto tried = [&](std::int64_t row, int step) {
    const double factor = 1 - (1 - least_factor) * step / steps;
    return std::max(static_cast<float>(start.at(shared ? 0 : row) * factor), static_cast<float>(kSmallestScale));
  };
  // [rows of all groups][steps]
  std::vector<std::array<double, steps + 1>> errors(w.size(0) * rows);
  at::parallel_for(0, static_cast<std::int64_t>(errors.size()), 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* values = w.data_ptr<float>() + row * in;
      const float* weighed = power.data_ptr<float>() + row / rows * in;
      for (int step = 0; step <= steps; ++step) {
        errors[row][step] = squared_error(values, weighed, in, tried(row, step), levels);
      }
    }
  });
  if (shared) {
    for (std::size_t row = 1; row < errors.size(); ++row) {
      for (int step = 0; step <= steps; ++step) errors[0][step] += errors[row][step];
    }
  }
  std::vector<double> scales(start.size());
  for (std::size_t row = 0; row < scales.size(); ++row) {
    const auto least = std::min_element(errors[row].begin(), errors[row].end());
    scales[row] = tried(static_cast<std::int64_t>(row), static_cast<int>(least - errors[row].begin()));
  }
  return scales;
}

}  // namespace fusekit::quantize
