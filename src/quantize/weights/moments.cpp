#include "quantize/weights/moments.h"

#include <algorithm>

#include "fusekit/error.h"

namespace fusekit::quantize {
namespace {

constexpr std::int64_t kBlock = 512;  // of columns: the blocks right of the diagonal are not computed

at::Tensor centred(const at::Tensor& x) { return x - x.mean(1, true, at::kDouble).to(at::kFloat); }

double share_of_each_row(const at::Tensor& x) {
  return 1.0 / static_cast<double>(std::max<std::int64_t>(x.size(1), 1));
}

}  // namespace

at::Tensor second_moment(const at::Tensor& x) {
  at::Tensor moment = at::zeros({x.size(0), x.size(2), x.size(2)});
  if (x.size(1) == 0) return moment;
  const at::Tensor rows = centred(x);
  const at::Tensor columns = rows.transpose(1, 2);
  for (std::int64_t begin = 0; begin < x.size(2); begin += kBlock) {
    const std::int64_t end = std::min(begin + kBlock, x.size(2));
    const at::Tensor below = columns.slice(1, begin).matmul(rows.slice(2, begin, end));
    moment.slice(1, begin).slice(2, begin, end).copy_(below);
    moment.slice(1, begin, end).slice(2, end).copy_(below.slice(1, end - begin).transpose(1, 2));
  }
  return moment.mul_(share_of_each_row(x));
}

at::Tensor cross_moment(const at::Tensor& e, const at::Tensor& x) {
  if (e.dim() != 3 || x.dim() != 3 || e.size(0) != x.size(0) || e.size(1) != x.size(1))
    throw Error(ErrorKind::model, fmt::format("a cross moment of {} and {} numbers", e.numel(), x.numel()));
  if (x.size(1) == 0) return at::zeros({e.size(0), e.size(2), x.size(2)});
  return centred(e).transpose(1, 2).matmul(x).mul_(share_of_each_row(x));
}

}  // namespace fusekit::quantize
