#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "quantize/observe/qparams.h"
#include "quantize/weights/weight.h"

namespace fusekit::quantize {

// Weights here are matrices [groups, out / groups, in], float32 (weight_matrix of input_rows.h), `second` is the mean of
// x x^T over their inputs, [groups, in, in] (moments.h), and scales are one for all rows or one a row, group by group.

struct RoundingOptions {
  Levels levels = kSigned8;
  double damping = 0.01;      ///< added to the diagonal of `second`, as a share of its mean
  bool largest_first = true;  ///< columns in the order of their inputs' power; else as they come
  int sweeps = 10;            ///< at most, of changes of single levels afterwards; 0: none
};

/// The levels, int8 [groups, out / groups, in], whose outputs differ little from the weight's: small
/// tr((W - Wq) second (W - Wq)^T). Columns are rounded one after the other, each so that it makes up for the errors of
/// those before it: GPTQ (Frantar et al. 2022, arXiv:2210.17323), here as nearest planes on a Cholesky factor of the
/// damped `second`, which needs no inverse. Then single levels are moved for as long as that lowers a row's error.
/// No row's error is ever above that of nearest rounding. Inputs that were always zero are rounded to nearest.
/// Time: in^3 / 3 + about 2.5 * out * in^2 multiply-adds a group.
at::Tensor round_weight(const at::Tensor& weight, const at::Tensor& second, const std::vector<double>& scales,
                        const RoundingOptions& options = {});

/// What the levels stand for: levels * scale, float32.
at::Tensor dequantized_weight(const at::Tensor& levels, const std::vector<double>& scales);

/// tr((weight - dequantized) second (weight - dequantized)^T) of each row: [groups, out / groups], float64: the mean squared error of
/// each output channel.
at::Tensor output_errors(const at::Tensor& weight, const at::Tensor& dequantized, const at::Tensor& second);

/// The real weight that comes nearest to making up for what its outputs lack, e [out / groups] (where x is not what the
/// layer should have read): the V of least E|W x + e - V x|^2 + lambda |V - W|^2, which is
/// W + residual (second + lambda)^-1, lambda = damping * mean of second's diagonal. `residual`: mean of e x^T,
/// [groups, out / groups, in]. Its scales have to be chosen anew.
at::Tensor adapted_weight(const at::Tensor& weight, const at::Tensor& second, const at::Tensor& residual,
                          double damping = 0.01);

/// Scales of less squared error than those that cover the whole range: `start` times the best of even factors from 1 down
/// to `least_factor`, for each row (or for all, where `start` is one number). Errors are weighed by the power of their
/// inputs, the diagonal of `second`, or alike where it is undefined. Never worse than `start`.
std::vector<double> search_scales(const at::Tensor& weight, const std::vector<double>& start, Levels levels,
                                  const at::Tensor& second = {}, double least_factor = 0.5);

}  // namespace fusekit::quantize
