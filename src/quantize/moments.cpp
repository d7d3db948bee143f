#include "quantize/moments.h"

#include <algorithm>

#include "fusekit/error.h"

namespace fusekit::quantize {
namespace {

constexpr std::int64_t kEnoughRows = 256;
constexpr std::int64_t kBlock = 512;  // of columns: the blocks right of the diagonal are not computed

/// sum += x^T x, the blocks on and below the diagonal.
void add_lower_product(at::Tensor& sum, const at::Tensor& x) {
  const at::Tensor transposed = x.transpose(1, 2);
  for (std::int64_t begin = 0; begin < x.size(2); begin += kBlock) {
    const std::int64_t end = std::min(begin + kBlock, x.size(2));
    sum.slice(1, begin).slice(2, begin, end).baddbmm_(transposed.slice(1, begin), x.slice(2, begin, end));
  }
}

at::Tensor outer_product(const at::Tensor& a, const at::Tensor& b) { return a.unsqueeze(2) * b.unsqueeze(1); }

}  // namespace

Moments::Moments(std::int64_t groups, std::int64_t in, bool with_cross)
    : in_(in),
      with_cross_(with_cross),
      second_(at::zeros({groups, in, in})),
      sum_x_(at::zeros({groups, in}, at::kDouble)),
      sum_y_(at::zeros({groups, in}, at::kDouble)) {
  if (with_cross) cross_ = at::zeros({groups, in, in});
}

void Moments::add(const at::Tensor& x) { add(x, {}); }

void Moments::add(const at::Tensor& x, const at::Tensor& y) {
  if (x.dim() != 3 || x.size(0) != second_.size(0) || x.size(2) != in_ || y.defined() != with_cross_ ||
      (y.defined() && y.sizes() != x.sizes())) {
    throw Error(ErrorKind::model, fmt::format("rows that don't fit moments of {} groups of {}", second_.size(0), in_));
  }
  sum_x_ += x.sum(1, false, at::kDouble);
  waiting_x_.push_back(x);
  if (with_cross_) {
    sum_y_ += y.sum(1, false, at::kDouble);
    waiting_y_.push_back(y);
  }
  rows_ += x.size(1);
  waiting_rows_ += x.size(1);
  if (waiting_rows_ >= kEnoughRows) flush();
}

void Moments::flush() const {
  if (waiting_rows_ == 0) return;
  const at::Tensor x = at::cat(waiting_x_, 1);
  add_lower_product(second_, x);
  if (with_cross_) cross_.baddbmm_(at::cat(waiting_y_, 1).transpose(1, 2), x);
  waiting_x_.clear();
  waiting_y_.clear();
  waiting_rows_ = 0;
}

at::Tensor Moments::over_rows(const at::Tensor& sum) const {
  return sum / static_cast<double>(std::max<std::int64_t>(rows_, 1));
}

at::Tensor Moments::second() const {
  flush();
  const at::Tensor lower = over_rows(second_.tril());
  return lower + lower.tril(-1).transpose(1, 2);
}

at::Tensor Moments::cross() const {
  flush();
  return with_cross_ ? over_rows(cross_) : second();
}

at::Tensor Moments::mean() const { return over_rows(sum_x_).to(at::kFloat); }

at::Tensor Moments::mean_of_y() const { return with_cross_ ? over_rows(sum_y_).to(at::kFloat) : mean(); }

at::Tensor Moments::centred_second() const { return second() - outer_product(mean(), mean()); }

at::Tensor Moments::centred_cross() const { return cross() - outer_product(mean_of_y(), mean()); }

at::Tensor corrected_bias(const at::Tensor& bias, const at::Tensor& weight, const at::Tensor& told,
                          const Moments& moments) {
  const at::Tensor wanted = weight.to(at::kDouble).matmul(moments.mean_of_y().to(at::kDouble).unsqueeze(2));
  const at::Tensor given = told.to(at::kDouble).matmul(moments.mean().to(at::kDouble).unsqueeze(2));
  const at::Tensor shift = (wanted - given).flatten();
  return (bias.defined() ? bias.detach().to(at::kDouble) + shift : shift).to(at::kFloat);
}

}  // namespace fusekit::quantize
