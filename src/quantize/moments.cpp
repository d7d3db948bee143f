#include "quantize/moments.h"

#include <algorithm>

#include "fusekit/error.h"

namespace fusekit::quantize {
namespace {

constexpr std::int64_t kEnoughRows = 512;
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

Moments::Moments(std::int64_t groups, std::int64_t in, std::int64_t out_per_group)
    : second_(at::zeros({groups, in, in})),
      lacking_(at::zeros({groups, out_per_group, in})),
      sum_x_(at::zeros({groups, in}, at::kDouble)),
      sum_e_(at::zeros({groups, out_per_group}, at::kDouble)) {}

void Moments::add(const at::Tensor& x, const at::Tensor& e) {
  const auto fits = [](const at::Tensor& rows, const at::Tensor& sum) {
    return rows.dim() == 3 && rows.size(0) == sum.size(0) && rows.size(2) == sum.size(1);
  };
  if (!fits(x, sum_x_) || !fits(e, sum_e_) || x.size(1) != e.size(1))
    throw Error(ErrorKind::model, fmt::format("rows that don't fit moments of {} groups of {} inputs and {} outputs",
                                              second_.size(0), sum_x_.size(1), sum_e_.size(1)));
  sum_x_ += x.sum(1, false, at::kDouble);
  sum_e_ += e.sum(1, false, at::kDouble);
  waiting_x_.push_back(x);
  waiting_e_.push_back(e);
  rows_ += x.size(1);
  waiting_rows_ += x.size(1);
  if (waiting_rows_ >= kEnoughRows) flush();
}

void Moments::flush() const {
  if (waiting_rows_ == 0) return;
  const at::Tensor x = at::cat(waiting_x_, 1);
  add_lower_product(second_, x);
  lacking_.baddbmm_(at::cat(waiting_e_, 1).transpose(1, 2), x);
  waiting_x_.clear();
  waiting_e_.clear();
  waiting_rows_ = 0;
}

at::Tensor Moments::over_rows(const at::Tensor& sum) const {
  return sum / static_cast<double>(std::max<std::int64_t>(rows_, 1));
}

at::Tensor Moments::mean() const { return over_rows(sum_x_).to(at::kFloat); }

at::Tensor Moments::mean_lack() const { return over_rows(sum_e_).to(at::kFloat); }

at::Tensor Moments::second() const {
  flush();
  const at::Tensor lower = over_rows(second_.tril());
  return lower + lower.tril(-1).transpose(1, 2) - outer_product(mean(), mean());
}

at::Tensor Moments::lacking() const {
  flush();
  return over_rows(lacking_) - outer_product(mean_lack(), mean());
}

at::Tensor corrected_bias(const at::Tensor& bias, const at::Tensor& weight, const at::Tensor& told,
                          const Moments& moments) {
  const at::Tensor errors = weight.to(at::kDouble) - told.to(at::kDouble);
  const at::Tensor lost = errors.matmul(moments.mean().to(at::kDouble).unsqueeze(2)).squeeze(2);
  const at::Tensor shift = (moments.mean_lack().to(at::kDouble) + lost).flatten();
  return (bias.defined() ? bias.detach().to(at::kDouble) + shift : shift).to(at::kFloat);
}

}  // namespace fusekit::quantize
