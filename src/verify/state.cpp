#include "verify/state.h"

#include <algorithm>
#include <functional>

#include "verify/metrics.h"

namespace fusekit::gate {
namespace {

/// True for values that can be copied and compared; false for objects of custom classes, e.g. packed weights.
bool is_plain(const c10::IValue& value) {
  if (value.isList()) return std::ranges::all_of(value.toListRef(), is_plain);
  if (value.isTuple()) return std::ranges::all_of(value.toTupleRef().elements().vec(), is_plain);
  if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict())
      if (!is_plain(entry.value())) return false;
    return true;
  }
  return value.isTensor() || value.isInt() || value.isDouble() || value.isBool() || value.isString() || value.isNone();
}

using Visit = std::function<void(const std::string& path, const c10::IValue& value)>;

void for_each_attribute(const torch::jit::Module& module, const std::string& prefix, const Visit& visit) {
  for (const auto& attribute : module.named_attributes(/*recurse=*/false)) {
    const std::string path = prefix + attribute.name;
    if (attribute.value.isModule()) {
      for_each_attribute(attribute.value.toModule(), path + ".", visit);
    } else if (is_plain(attribute.value)) {
      visit(path, attribute.value);
    }
  }
}

bool same_value(const c10::IValue& a, const c10::IValue& b) {
  const Comparison comparison = compare(a, b);
  return comparison.failure.empty() && comparison.error.max_abs == 0;
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.defined() && b.defined() && a.scalar_type() == b.scalar_type() && !a.is_quantized() &&
         a.layout() == at::kStrided && b.layout() == at::kStrided && a.sizes() == b.sizes() && a.equal(b);
}

/// Is the attribute, or a module that it is in, among `paths`?
bool is_at_or_below(std::string path, const std::set<std::string>& paths) {
  while (paths.count(path) == 0) {
    const auto dot = path.rfind('.');
    if (dot == std::string::npos) return false;
    path.resize(dot);
  }
  return true;
}

}  // namespace

std::map<std::string, c10::IValue> attributes_of(const torch::jit::Module& module) {
  std::map<std::string, c10::IValue> attributes;
  for_each_attribute(module, "", [&](const std::string& path, const c10::IValue& value) { attributes[path] = value; });
  return attributes;
}

State::State(const torch::jit::Module& module) : module_(module) {
  for_each_attribute(module, "", [this](const std::string& path, const c10::IValue& value) {
    entries_[path] = value.isTensor() ? Entry{value, file::fingerprint(value.toTensor())} : Entry{value.deepcopy(), {}};
  });
}

std::map<std::string, c10::IValue> State::written() const {
  std::map<std::string, c10::IValue> written;
  for_each_attribute(module_, "", [&](const std::string& path, const c10::IValue& now) {
    const auto before = entries_.find(path);
    const bool untouched =
        before != entries_.end() && (now.isTensor() && before->second.before.isTensor()
                                         ? now.toTensor().is_same(before->second.before.toTensor()) &&
                                               file::fingerprint(now.toTensor()) == before->second.fingerprint
                                         : same_value(before->second.before, now));
    if (!untouched) written[path] = now;
  });
  return written;
}

Comparison State::compare_written(const torch::jit::Module& other) const {
  Comparison all;
  const auto theirs = attributes_of(other);
  for (const auto& [path, now] : written()) {
    const auto their = theirs.find(path);
    if (their == theirs.end()) {
      all.failure = "the network writes to " + path + ", which the second lacks";
      return all;
    }
    const Comparison comparison = compare(now, their->second, path);
    if (comparison.error.max_rel > all.error.max_rel) all.worst_at = comparison.worst_at;
    all.error = worse(all.error, comparison.error);
    all.failure = comparison.failure;
    if (!all.failure.empty()) return all;
  }
  return all;
}

std::string changed_state(const torch::jit::Module& original, const torch::jit::Module& written,
                          const std::set<std::string>& made_new) {
  std::string changed;
  const auto theirs = attributes_of(written);
  for_each_attribute(original, "", [&](const std::string& path, const c10::IValue& value) {
    const auto their = theirs.find(path);
    if (!changed.empty() || their == theirs.end() || is_at_or_below(path, made_new)) return;
    if (value.isTensor() && their->second.isTensor() && same_bits(value.toTensor(), their->second.toTensor())) return;
    const Comparison comparison = compare(value, their->second, path);
    changed = comparison.failure;
    if (changed.empty() && comparison.error.max_abs != 0)
      changed = fmt::format("{} differs by {:.2g}", comparison.worst_at, comparison.error.max_abs);
  });
  return changed;
}

}  // namespace fusekit::gate
