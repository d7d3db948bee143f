#include "verify/compare.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "verify/metrics.h"

namespace fusekit::gate {
namespace {

void note(Comparison& all, const OutputError& error, const std::string& place) {
  if (all.worst_at.empty() || error.max_rel > all.error.max_rel) all.worst_at = place;
  all.error = worse(all.error, error);
}

void fail(Comparison& all, const std::string& why) {
  if (all.failure.empty()) all.failure = why;
}

std::string shape(const at::Tensor& tensor) {
  return tensor.dim() == 0 ? "a scalar" : fmt::format("{}", fmt::join(tensor.sizes(), "x"));
}

std::int64_t count(const at::Tensor& mask) { return mask.sum().item<std::int64_t>(); }

/// The dense values that a tensor stands for.
at::Tensor values(const at::Tensor& tensor) {
  if (tensor.is_quantized()) return tensor.dequantize();
  if (tensor.layout() != at::kStrided) return tensor.to_dense();
  return tensor;
}

/// Why the special values of two floating-point tensors stand at different places; empty where they don't.
std::string special_mismatch(const at::Tensor& a, const at::Tensor& b) {
  const auto more = [](std::int64_t x, std::int64_t y, const char* what) {
    if (x == y) return fmt::format("has {} {} at other places", x, what);
    return fmt::format("has {} {} {}", std::abs(y - x), y > x ? "more" : "fewer", what);
  };
  if (const at::Tensor x = a.isnan(), y = b.isnan(); !x.equal(y)) return more(count(x), count(y), "NaNs");
  if (const at::Tensor x = a.isposinf(), y = b.isposinf(); !x.equal(y)) return more(count(x), count(y), "infinities");
  if (const at::Tensor x = a.isneginf(), y = b.isneginf(); !x.equal(y))
    return more(count(x), count(y), "negative infinities");
  return {};
}

void compare_discrete(const at::Tensor& a, const at::Tensor& b, const std::string& place, Comparison& all) {
  const at::Tensor differs = a.ne(b);
  const std::int64_t wrong = count(differs);
  if (wrong == 0) return;
  const std::int64_t first = differs.flatten().to(at::kByte).argmax().item<std::int64_t>();
  const auto at_first = [first](const at::Tensor& t) { return t.flatten()[first].item<std::int64_t>(); };
  fail(all, fmt::format("{} differs at {} of {} elements, first {} against {}", place, wrong, a.numel(), at_first(a),
                        at_first(b)));
}

void compare_tensors(const at::Tensor& a, const at::Tensor& b, const std::string& place, Comparison& all) {
  if (a.defined() != b.defined()) return fail(all, place + " is undefined in only one of them");
  if (!a.defined()) return;
  if (a.scalar_type() != b.scalar_type())
    return fail(
        all, fmt::format("{} is {} against {}", place, c10::toString(a.scalar_type()), c10::toString(b.scalar_type())));
  if (a.sizes() != b.sizes()) return fail(all, fmt::format("{} is {} against {}", place, shape(a), shape(b)));
  all.compared += a.numel();
  const at::Tensor x = values(a);
  const at::Tensor y = values(b);
  if (x.is_complex())  // counts each part
    return compare_tensors(at::view_as_real(x.resolve_conj()), at::view_as_real(y.resolve_conj()), place, all);
  if (!x.is_floating_point()) return compare_discrete(x, y, place, all);
  if (const std::string mismatch = special_mismatch(x, y); !mismatch.empty()) return fail(all, place + " " + mismatch);
  note(all, measure(x, y), place);
}

void compare_values(const c10::IValue& a, const c10::IValue& b, const std::string& place, Comparison& all);

void compare_lists(const c10::IValue& a, const c10::IValue& b, const std::string& place, Comparison& all) {
  const auto x = a.toListRef();
  const auto y = b.toListRef();
  if (x.size() != y.size()) return fail(all, fmt::format("{} has {} elements against {}", place, x.size(), y.size()));
  for (std::size_t k = 0; k < x.size(); ++k) compare_values(x[k], y[k], fmt::format("{}[{}]", place, k), all);
}

void compare_tuples(const c10::IValue& a, const c10::IValue& b, const std::string& place, Comparison& all) {
  const auto x = a.toTupleRef().elements();
  const auto y = b.toTupleRef().elements();
  if (x.size() != y.size()) return fail(all, fmt::format("{} has {} elements against {}", place, x.size(), y.size()));
  const auto type = a.type()->cast<c10::TupleType>();
  const auto& schema = type ? type->schema() : nullptr;  // a named tuple has one
  for (std::size_t k = 0; k < x.size(); ++k) {
    const std::string part =
        schema ? fmt::format("{}.{}", place, schema->arguments()[k].name()) : fmt::format("{}[{}]", place, k);
    compare_values(x[k], y[k], part, all);
  }
}

std::string key_text(const c10::IValue& key) { return key.isString() ? "'" + key.toStringRef() + "'" : c10::str(key); }

void compare_dicts(const c10::IValue& a, const c10::IValue& b, const std::string& place, Comparison& all) {
  const auto x = a.toGenericDict();
  const auto y = b.toGenericDict();
  for (const auto& entry : x) {
    const std::string part = fmt::format("{}[{}]", place, key_text(entry.key()));
    const auto other = y.find(entry.key());
    if (other == y.end()) return fail(all, part + " is missing in the second");
    compare_values(entry.value(), other->value(), part, all);
  }
  for (const auto& entry : y)
    if (!x.contains(entry.key()))
      return fail(all, fmt::format("{}[{}] is only in the second", place, key_text(entry.key())));
}

void compare_objects(const c10::IValue& a, const c10::IValue& b, const std::string& place, Comparison& all) {
  const auto x = a.toObject();
  const auto y = b.toObject();
  for (std::size_t k = 0; k < x->type()->numAttributes(); ++k) {
    const std::string& name = x->type()->getAttributeName(k);
    const std::string part = place + "." + name;
    if (!y->type()->hasAttribute(name)) return fail(all, part + " is missing in the second");
    compare_values(x->getAttr(name), y->getAttr(name), part, all);
  }
}

void compare_values(const c10::IValue& a, const c10::IValue& b, const std::string& place, Comparison& all) {
  if (a.tagKind() != b.tagKind())
    return fail(all, fmt::format("{} is a {} against a {}", place, a.tagKind(), b.tagKind()));
  if (a.isTensor()) return compare_tensors(a.toTensor(), b.toTensor(), place, all);
  if (a.isDouble())
    return compare_tensors(at::scalar_tensor(a.toDouble(), at::kDouble), at::scalar_tensor(b.toDouble(), at::kDouble),
                           place, all);
  if (a.isComplexDouble())
    return compare_tensors(at::scalar_tensor(a.toComplexDouble(), at::kComplexDouble),
                           at::scalar_tensor(b.toComplexDouble(), at::kComplexDouble), place, all);
  if (a.isList()) return compare_lists(a, b, place, all);
  if (a.isTuple()) return compare_tuples(a, b, place, all);
  if (a.isGenericDict()) return compare_dicts(a, b, place, all);
  if (a.isObject()) return compare_objects(a, b, place, all);
  if (a.isNone()) return;
  if (a.isEnum()) {  // by name: each file has an enum class of its own
    if (a.toEnumHolder()->name() != b.toEnumHolder()->name())
      fail(all, fmt::format("{} is {} against {}", place, a.toEnumHolder()->name(), b.toEnumHolder()->name()));
    return;
  }
  if (a.isInt() || a.isBool() || a.isString() || a.isDevice()) {
    ++all.compared;
    if (a != b) fail(all, fmt::format("{} is {} against {}", place, c10::str(a), c10::str(b)));
    return;
  }
  fail(all, fmt::format("{} is a {}, which can't be compared", place, a.tagKind()));
}

}  // namespace

Comparison compare(const c10::IValue& a, const c10::IValue& b, const std::string& place) {
  Comparison all;
  compare_values(a, b, place, all);
  return all;
}

}  // namespace fusekit::gate
