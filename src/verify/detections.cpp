#include "verify/detections.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace fusekit::gate {
namespace {

using Dict = c10::impl::GenericDict;

constexpr double kLeastOverlap = 0.5;
constexpr double kEqualOverlap =
    1e-3;  // overlaps that differ by less are taken as equal: then the same row is preferred

std::optional<at::Tensor> tensor_at(const Dict& dict, const char* key) {
  const auto found = dict.find(std::string(key));
  if (found == dict.end() || !found->value().isTensor() || !found->value().toTensor().defined()) return std::nullopt;
  return found->value().toTensor();
}

/// What tells one image's detections apart.
struct Detections {
  at::Tensor boxes;   ///< (N, 4) double
  at::Tensor labels;  ///< (N); zeros where there are none
  [[nodiscard]] std::int64_t count() const { return boxes.size(0); }
};

std::optional<Detections> detections_of(const c10::IValue& value) {
  if (!value.isGenericDict()) return std::nullopt;
  const Dict dict = value.toGenericDict();
  if (dict.keyType()->kind() != c10::TypeKind::StringType) return std::nullopt;
  const auto boxes = tensor_at(dict, "boxes");
  const auto scores = tensor_at(dict, "scores");
  if (!boxes || !scores || boxes->dim() != 2 || boxes->size(1) != 4 || !boxes->is_floating_point() ||
      scores->dim() != 1 || scores->size(0) != boxes->size(0))
    return std::nullopt;
  const auto labels = tensor_at(dict, "labels").value_or(at::zeros_like(*scores));
  if (labels.dim() != 1 || labels.size(0) != boxes->size(0)) return std::nullopt;
  return Detections{boxes->to(at::kDouble), labels};
}

/// Intersection over union of each box of a with each of b, (N, M); -1 where the labels differ. An empty box overlaps
/// none but its equal.
at::Tensor overlaps(const Detections& a, const Detections& b) {
  const auto corner = [](const Detections& set, std::int64_t from) { return set.boxes.slice(1, from, from + 2); };
  const auto area = [&corner](const Detections& set) { return (corner(set, 2) - corner(set, 0)).clamp_min(0).prod(1); };
  const at::Tensor low = at::maximum(corner(a, 0).unsqueeze(1), corner(b, 0).unsqueeze(0));
  const at::Tensor high = at::minimum(corner(a, 2).unsqueeze(1), corner(b, 2).unsqueeze(0));
  const at::Tensor both = (high - low).clamp_min(0).prod(2);
  const at::Tensor either = area(a).unsqueeze(1) + area(b).unsqueeze(0) - both;
  const at::Tensor equal = a.boxes.unsqueeze(1).eq(b.boxes.unsqueeze(0)).all(2);
  const at::Tensor overlap = at::where(equal, at::ones_like(both), (both / either).nan_to_num(0));
  return overlap.masked_fill(a.labels.unsqueeze(1).ne(b.labels.unsqueeze(0)), -1);
}

/// The row of b that stands for each row of a; -1: none.
std::vector<std::int64_t> match(const Detections& a, const Detections& b) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(a.count()), -1);
  if (a.count() == 0 || b.count() == 0) return rows;
  at::Tensor left = overlaps(a, b).contiguous();
  for (std::int64_t i = 0; i < a.count(); ++i) {
    const auto [best, where] = left[i].max(0);
    if (best.item<double>() < kLeastOverlap) continue;
    std::int64_t row = where.item<std::int64_t>();
    if (i < b.count() && left[i][i].item<double>() > best.item<double>() - kEqualOverlap) row = i;
    rows[static_cast<std::size_t>(i)] = row;
    left.select(1, row).fill_(-1);
  }
  return rows;
}

/// A copy of the dict with these rows of everything that has `count` of them.
Dict with_rows(const Dict& dict, const at::Tensor& rows, std::int64_t count) {
  Dict result(dict.keyType(), dict.valueType());
  for (const auto& entry : dict) {
    const bool has_rows = entry.value().isTensor() && entry.value().toTensor().defined() &&
                          entry.value().toTensor().dim() > 0 && entry.value().toTensor().size(0) == count;
    result.insert(entry.key(), has_rows ? c10::IValue(entry.value().toTensor().index_select(0, rows)) : entry.value());
  }
  return result;
}

class Aligner {
 public:
  explicit Aligner(AlignedOutputs& counts) : counts_(counts) {}

  /// Both with their detections in one order.
  std::pair<c10::IValue, c10::IValue> align(const c10::IValue& a, const c10::IValue& b) {
    const auto ours = detections_of(a);
    const auto theirs = ours ? detections_of(b) : std::nullopt;
    if (theirs) return align_sets(a.toGenericDict(), *ours, b.toGenericDict(), *theirs);
    if (a.isList() && b.isList()) return align_lists(a.toList(), b.toList());
    if (a.isTuple() && b.isTuple()) return align_tuples(a.toTupleRef(), b.toTupleRef());
    return {a, b};
  }

 private:
  std::pair<c10::IValue, c10::IValue> align_sets(const Dict& a, const Detections& ours, const Dict& b,
                                                 const Detections& theirs) {
    const std::vector<std::int64_t> rows = match(ours, theirs);
    std::vector<std::int64_t> a_rows;
    std::vector<std::int64_t> b_rows;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] < 0) continue;
      a_rows.push_back(static_cast<std::int64_t>(i));
      b_rows.push_back(rows[i]);
      counts_.moved += a_rows.back() == b_rows.back() ? 0 : 1;
    }
    counts_.matched += static_cast<std::int64_t>(a_rows.size());
    counts_.detections += std::max(ours.count(), theirs.count());
    return {with_rows(a, at::tensor(a_rows, at::kLong), ours.count()),
            with_rows(b, at::tensor(b_rows, at::kLong), theirs.count())};
  }

  std::pair<c10::IValue, c10::IValue> align_lists(const c10::List<c10::IValue>& a, const c10::List<c10::IValue>& b) {
    if (a.size() != b.size()) return {a, b};
    c10::List<c10::IValue> as(a.elementType());
    c10::List<c10::IValue> bs(b.elementType());
    for (std::size_t k = 0; k < a.size(); ++k) {
      auto [x, y] = align(a.get(k), b.get(k));
      as.push_back(std::move(x));
      bs.push_back(std::move(y));
    }
    return {as, bs};
  }

  std::pair<c10::IValue, c10::IValue> align_tuples(const c10::ivalue::Tuple& a, const c10::ivalue::Tuple& b) {
    std::vector<c10::IValue> as = a.elements().vec();
    std::vector<c10::IValue> bs = b.elements().vec();
    if (as.size() != bs.size()) return {c10::ivalue::Tuple::create(as), c10::ivalue::Tuple::create(bs)};
    for (std::size_t k = 0; k < as.size(); ++k) std::tie(as[k], bs[k]) = align(as[k], bs[k]);
    return {c10::ivalue::Tuple::createNamed(std::move(as), a.type<c10::TupleType>()),
            c10::ivalue::Tuple::createNamed(std::move(bs), b.type<c10::TupleType>())};
  }

  AlignedOutputs& counts_;
};

bool holds_detections(const c10::IValue& value) {
  if (detections_of(value)) return true;
  if (value.isList() && !value.isTensorList()) return std::ranges::any_of(value.toListRef(), holds_detections);
  return value.isTuple() && std::ranges::any_of(value.toTupleRef().elements().vec(), holds_detections);
}

}  // namespace

AlignedOutputs align_detections(const c10::IValue& a, const c10::IValue& b) {
  AlignedOutputs aligned;
  if (!holds_detections(a)) return {a, b};
  std::tie(aligned.a, aligned.b) = Aligner(aligned).align(a, b);
  return aligned;
}

}  // namespace fusekit::gate
