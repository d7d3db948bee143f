#include "inputs/batch.h"

#include <algorithm>
#include <optional>

#include "runtime/captured_output.h"
#include "runtime/limited_run.h"
#include "runtime/seed_guard.h"

namespace fusekit::inputs {
namespace {

using c10::IValue;

bool has_more_rows(const IValue& value, std::int64_t batch) {
  return batch > 0 && value.isTensor() && value.toTensor().defined() && value.toTensor().dim() > 0 &&
         value.toTensor().size(0) > batch;
}

/// Of all tensors that have more than `batch`; nullopt where there is none, or their numbers differ.
std::optional<std::int64_t> common_rows(const Sample& whole, std::int64_t batch) {
  std::optional<std::int64_t> rows;
  for (const IValue& value : whole) {
    if (!has_more_rows(value, batch)) continue;
    const std::int64_t here = value.toTensor().size(0);
    if (rows && *rows != here) return std::nullopt;
    rows = here;
  }
  return rows;
}

Sample some_rows(const Sample& whole, std::int64_t batch, std::int64_t begin, std::int64_t count) {
  Sample some;
  for (const IValue& value : whole)
    some.push_back(has_more_rows(value, batch) ? IValue(value.toTensor().narrow(0, begin, count)) : value);
  return some;
}

/// nullopt where the method can't be run on it.
std::optional<IValue> output_of(const Fresh& fresh, const std::string& method, const Sample& sample) {
  const torch::NoGradGuard no_grad;
  const runtime::SeedGuard seed_guard;
  const runtime::CapturedOutput captured;
  std::vector<IValue> arguments;
  for (const IValue& value : sample) arguments.push_back(value.deepcopy());
  try {
    const runtime::LimitedRun limited(fmt::format("a run of {} on rows of the inputs", method));
    return fresh().get_method(method)(std::move(arguments));
  } catch (...) {
    return std::nullopt;  // what is wrong with these inputs is told where the network is run on all of them
  }
}

/// As far as kernels for other batches round otherwise.
double allowance_for(at::ScalarType type) { return type == at::kHalf || type == at::kBFloat16 ? 2e-2 : 1e-3; }

bool is_near(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  if (a.is_quantized() || !a.is_floating_point())
    return a.is_quantized() ? is_near(a.dequantize(), b.dequantize()) : a.equal(b);
  if (a.numel() == 0) return true;
  const at::Tensor x = a.to(at::kDouble);
  const double largest = x.nan_to_num(0, 0, 0).abs().max().item<double>();
  return at::allclose(x, b.to(at::kDouble), /*rtol=*/0, allowance_for(a.scalar_type()) * largest, /*equal_nan=*/true);
}

/// The one dimension in which `both` is twice as large as `alone`; nullopt where they differ otherwise, or not at all.
std::optional<std::int64_t> doubled_dimension(const at::Tensor& both, const at::Tensor& alone) {
  if (both.dim() != alone.dim()) return std::nullopt;
  std::optional<std::int64_t> doubled;
  for (std::int64_t d = 0; d < both.dim(); ++d) {
    if (both.size(d) == alone.size(d)) continue;
    if (doubled || both.size(d) != 2 * alone.size(d)) return std::nullopt;
    doubled = d;
  }
  return doubled;
}

/// Compares what two rows give with what one of them gives alone: is that the one half, wherever there are rows?
class Rows {
 public:
  /// `place`: 0 for the first row, 1 for the second.
  explicit Rows(int place) : place_(place) {}

  bool agree_at(const IValue& both, const IValue& alone) {
    if (both.isTensor() && alone.isTensor()) return agree_at(both.toTensor(), alone.toTensor());
    if (both.isTuple() && alone.isTuple())
      return agree_at(both.toTupleRef().elements().vec(), alone.toTupleRef().elements().vec());
    if (both.isList() && alone.isList()) return agree_at(both.toListRef().vec(), alone.toListRef().vec());
    if (both.isGenericDict() && alone.isGenericDict()) return agree_at(both.toGenericDict(), alone.toGenericDict());
    return both == alone;
  }

  [[nodiscard]] bool any() const { return has_rows_; }

 private:
  bool agree_at(const at::Tensor& both, const at::Tensor& alone) {
    if (!both.defined() || !alone.defined()) return both.defined() == alone.defined();
    const auto rows = doubled_dimension(both, alone);
    if (!rows) return is_near(both, alone);
    has_rows_ = true;
    const std::int64_t half = alone.size(*rows);
    return is_near(both.narrow(*rows, place_ * half, half), alone);
  }

  bool agree_at(const std::vector<IValue>& both, const std::vector<IValue>& alone) {
    const bool by_row =
        both.size() == 2 * alone.size() && !alone.empty();  // a detection network's results, one a picture
    if (!by_row && both.size() != alone.size()) return false;
    has_rows_ = has_rows_ || by_row;
    const std::size_t begin = by_row && place_ == 1 ? alone.size() : 0;
    for (std::size_t i = 0; i < alone.size(); ++i)
      if (!agree_at(both[begin + i], alone[i])) return false;
    return true;
  }

  bool agree_at(const c10::Dict<IValue, IValue>& both, const c10::Dict<IValue, IValue>& alone) {
    if (both.size() != alone.size()) return false;
    for (const auto& entry : both)
      if (!alone.contains(entry.key()) || !agree_at(entry.value(), alone.at(entry.key()))) return false;
    return true;
  }

  int place_;
  bool has_rows_ = false;
};

bool is_part(const IValue& both, const IValue& alone, int place) {
  Rows rows(place);
  return rows.agree_at(both, alone) && rows.any();
}

}  // namespace

std::size_t pieces_of(const Sample& whole, std::int64_t batch) {
  const auto rows = common_rows(whole, batch);
  return rows ? static_cast<std::size_t>(*rows / batch) : 1;
}

std::int64_t rows_left(const Sample& whole, std::int64_t batch) {
  const auto rows = common_rows(whole, batch);
  return rows ? *rows % batch : 0;
}

Sample piece_of(const Sample& whole, std::int64_t batch, std::size_t k) {
  return common_rows(whole, batch) ? some_rows(whole, batch, static_cast<std::int64_t>(k) * batch, batch) : whole;
}

std::int64_t batch_by_runs(const Fresh& fresh, const std::string& method, const Sample& whole) {
  if (!common_rows(whole, 1)) return kAsTheyAre;
  const auto first = output_of(fresh, method, some_rows(whole, 1, 0, 1));
  if (!first) return kAsTheyAre;
  const auto both = output_of(fresh, method, some_rows(whole, 1, 0, 2));
  if (!both) return output_of(fresh, method, whole) ? kAsTheyAre : 1;
  const auto second = output_of(fresh, method, some_rows(whole, 1, 1, 1));
  return second && is_part(*both, *first, 0) && is_part(*both, *second, 1) ? 1 : kAsTheyAre;
}

}  // namespace fusekit::inputs
