#include "quantize/weights/rounding.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "fusekit/error.h"
#include "quantize/weights/cholesky.h"

namespace fusekit::quantize {
namespace {

constexpr std::int64_t kBlock = 128;  // columns that are rounded before their errors reach the others, in one product

std::int8_t level_of(float value, float inverse_scale, Levels levels) {
  const float level = std::nearbyint(value * inverse_scale);
  return static_cast<std::int8_t>(std::clamp(level, static_cast<float>(levels.low), static_cast<float>(levels.high)));
}

/// One weight matrix on its way: all tensors contiguous, [groups, rows, in] or [groups, in, in].
struct Problem {
  at::Tensor weight;
  at::Tensor second;
  std::vector<float> scales;  ///< one a row, group by group
  Levels levels;

  [[nodiscard]] std::int64_t groups() const { return weight.size(0); }
  [[nodiscard]] std::int64_t rows() const { return weight.size(1); }
  [[nodiscard]] std::int64_t in() const { return weight.size(2); }
};

/// Calls `round(group, row, scale)` for each row of each group, in parallel.
template <typename Round>
void for_each_row(const Problem& problem, const Round& round) {
  const std::int64_t rows = problem.rows();
  at::parallel_for(0, problem.groups() * rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) round(i / rows, i % rows, problem.scales[i]);
  });
}

at::Tensor nearest(const Problem& problem) {
  at::Tensor levels = at::empty_like(problem.weight, at::kChar);
  const float* weight = problem.weight.data_ptr<float>();
  auto* out = levels.data_ptr<std::int8_t>();
  for_each_row(problem, [&](std::int64_t group, std::int64_t row, float scale) {
    const std::int64_t begin = (group * problem.rows() + row) * problem.in();
    for (std::int64_t i = begin; i < begin + problem.in(); ++i) out[i] = level_of(weight[i], 1 / scale, problem.levels);
  });
  return levels;
}

/// Rounds column by column: with second = R R^T, R upper, the error is |(W - Wq) R|^2, whose column j depends on the
/// errors of columns 0 to j alone, so that each level in turn makes its column as small as it can.
at::Tensor nearest_planes(const Problem& problem, const at::Tensor& factor) {
  const std::int64_t in = problem.in();
  at::Tensor levels = at::empty_like(problem.weight, at::kChar);
  at::Tensor errors = at::zeros_like(problem.weight);
  const float* weight = problem.weight.data_ptr<float>();
  auto* out = levels.data_ptr<std::int8_t>();
  auto* error = errors.data_ptr<float>();
  for (std::int64_t begin = 0; begin < in; begin += kBlock) {
    const std::int64_t width = std::min(kBlock, in - begin);
    const at::Tensor columns = factor.slice(2, begin, begin + width);
    const at::Tensor carried = errors.slice(2, 0, begin).matmul(columns.slice(1, 0, begin)).contiguous();
    const at::Tensor corner = columns.slice(1, begin, begin + width).contiguous();
    for_each_row(problem, [&](std::int64_t group, std::int64_t row, float scale) {
      const std::int64_t index = group * problem.rows() + row;
      const float* r = corner.data_ptr<float>() + group * width * width;
      std::array<float, kBlock> sum;
      std::copy_n(carried.data_ptr<float>() + index * width, width, sum.begin());
      for (std::int64_t j = 0; j < width; ++j) {
        const std::int64_t at = index * in + begin + j;
        const float* r_j = r + j * width;
        out[at] = level_of(weight[at] + sum[j] / r_j[j], 1 / scale, problem.levels);
        error[at] = weight[at] - scale * static_cast<float>(out[at]);
        for (std::int64_t k = j + 1; k < width; ++k) sum[k] += error[at] * r_j[k];
      }
    });
  }
  return levels;
}

/// Levels, and what they do to the error: with errors E = W - Wq, [groups, rows, in], half the gradient E second, and
/// the squared error of each row, tr(E second E^T)'s diagonal.
struct Rounded {
  at::Tensor levels;
  at::Tensor errors;
  at::Tensor gradients;

  [[nodiscard]] at::Tensor squared_errors() const { return (gradients * errors).sum(-1, true, at::kDouble); }
};

at::Tensor errors_of(const Problem& problem, const at::Tensor& levels) {
  const at::Tensor scales = at::tensor(problem.scales).view({problem.groups(), problem.rows(), 1});
  return problem.weight - levels.to(at::kFloat) * scales;
}

Rounded rounded(const Problem& problem, const at::Tensor& levels) {
  const at::Tensor errors = errors_of(problem, levels);
  return {levels, errors, errors.matmul(problem.second)};
}

/// Row by row, the one of less error.
Rounded better(const Rounded& a, const Rounded& b) {
  const at::Tensor first = a.squared_errors() < b.squared_errors();
  return {at::where(first, a.levels, b.levels).contiguous(), at::where(first, a.errors, b.errors),
          at::where(first, a.gradients, b.gradients).contiguous()};
}

/// Moves single levels while that lowers the row's error.
Rounded descended(const Problem& problem, const Rounded& start, int sweeps) {
  const std::int64_t in = problem.in();
  const at::Tensor levels = start.levels.clone();
  const at::Tensor gradients = start.gradients.clone();
  auto* out = levels.data_ptr<std::int8_t>();
  for_each_row(problem, [&](std::int64_t group, std::int64_t row, float scale) {
    const std::int64_t index = group * problem.rows() + row;
    const float* second = problem.second.data_ptr<float>() + group * in * in;
    float* gradient = gradients.data_ptr<float>() + index * in;
    std::int8_t* level = out + index * in;
    bool moved = true;
    for (int sweep = 0; moved && sweep < sweeps; ++sweep) {
      moved = false;
      for (std::int64_t j = 0; j < in; ++j) {
        const float* second_j = second + j * in;
        const float power = second_j[j] * scale;
        if (std::abs(gradient[j]) <= 0.501F * power)
          continue;  // a little more than half a level: no endless to and fro
        const auto wanted = static_cast<float>(level[j]) + std::nearbyint(gradient[j] / power);
        const float next =
            std::clamp(wanted, static_cast<float>(problem.levels.low), static_cast<float>(problem.levels.high));
        const float change = (next - static_cast<float>(level[j])) * scale;
        if (change == 0) continue;
        level[j] = static_cast<std::int8_t>(next);
        for (std::int64_t k = 0; k < in; ++k) gradient[k] -= change * second_j[k];
        moved = true;
      }
    }
  });
  return {levels, errors_of(problem, levels), gradients};
}

std::vector<float> scale_of_each_row(const std::vector<double>& scales, std::int64_t rows) {
  if (scales.size() == 1) return std::vector<float>(rows, static_cast<float>(scales.front()));
  if (static_cast<std::int64_t>(scales.size()) != rows) {
    throw Error(ErrorKind::model, fmt::format("{} scales for {} rows of a weight", scales.size(), rows));
  }
  return {scales.begin(), scales.end()};
}

void require_shapes(const at::Tensor& weight, const at::Tensor& second) {
  if (weight.dim() == 3 && second.dim() == 3 && second.size(0) == weight.size(0) && second.size(1) == weight.size(2) &&
      second.size(2) == weight.size(2)) {
    return;
  }
  throw Error(ErrorKind::model,
              fmt::format("a second moment of {} elements for a weight of {} dimensions and {} elements",
                          second.numel(), weight.dim(), weight.numel()));
}

}  // namespace

at::Tensor round_weight(const at::Tensor& weight, const at::Tensor& second, const std::vector<double>& scales,
                        const RoundingOptions& options) {
  require_shapes(weight, second);
  Problem problem{weight.detach().to(at::kFloat).contiguous(), second.to(at::kFloat).contiguous(),
                  scale_of_each_row(scales, weight.size(0) * weight.size(1)), options.levels};

  // the columns in their order: [groups, in], and back
  const at::Tensor power = problem.second.diagonal(0, 1, 2);
  const at::Tensor order = options.largest_first ? power.argsort(-1, true)
                                                 : at::arange(problem.in(), at::kLong).expand({problem.groups(), -1});
  const at::Tensor columns = order.unsqueeze(1).expand_as(problem.weight);
  const at::Tensor square = order.unsqueeze(1).expand_as(problem.second);
  Problem ordered = problem;
  ordered.weight = problem.weight.gather(2, columns);
  ordered.second =
      problem.second.gather(2, square).gather(1, order.unsqueeze(2).expand_as(problem.second)).contiguous();
  const at::Tensor planes = nearest_planes(ordered, upper_factor(ordered.second, options.damping));
  const at::Tensor in_place = at::empty_like(planes).scatter_(2, columns, planes);

  const Rounded best = better(rounded(problem, in_place), rounded(problem, nearest(problem)));
  return options.sweeps == 0 ? best.levels : better(descended(problem, best, options.sweeps), best).levels;
}

at::Tensor dequantized_weight(const at::Tensor& levels, const std::vector<double>& scales) {
  const std::vector<float> each = scale_of_each_row(scales, levels.size(0) * levels.size(1));
  return levels.to(at::kFloat) * at::tensor(each).view({levels.size(0), levels.size(1), 1});
}

at::Tensor output_errors(const at::Tensor& weight, const at::Tensor& dequantized, const at::Tensor& second) {
  require_shapes(weight, second);
  const at::Tensor errors = weight.to(at::kFloat) - dequantized.to(at::kFloat);
  return (errors.matmul(second.to(at::kFloat)) * errors).sum(-1, false, at::kDouble);
}

}  // namespace fusekit::quantize
