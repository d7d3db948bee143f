#include "verify/own_rounding.h"

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "file/load.h"
#include "runtime/seed_guard.h"
#include "verify/compare.h"
#include "verify/metrics.h"
#include "verify/one_run.h"
#include "verify/state.h"

namespace fusekit::gate {
namespace {

constexpr double kSlack = 4;            ///< times the original's own error: errors of this kind are random
constexpr double kFew = 4;              ///< more of it for few elements, whose largest error is small by chance
constexpr double kMostRounding = 5e-3;  ///< of the largest value of a tensor: beyond it the original's is noise,
constexpr double kMostNoise = 2e-6;     ///< unless it is next to nothing beside the largest output

at::Tensor as_double(const at::Tensor& tensor) {
  const bool converts = tensor.defined() && tensor.is_floating_point() && tensor.layout() == at::kStrided;
  return converts ? tensor.detach().to(at::kDouble) : tensor;
}

c10::IValue as_double(const c10::IValue& value) {
  if (value.isTensor()) return as_double(value.toTensor());
  if (!value.isTensorList()) return value;
  c10::List<at::Tensor> list;
  for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(as_double(tensor));
  return list;
}

/// Tensors in double that share their elements where the originals do: what is written to one is seen in the others.
class InDouble {
 public:
  at::Tensor operator()(const at::Tensor& tensor) {
    if (!tensor.defined() || !tensor.is_floating_point() || tensor.layout() != at::kStrided) return tensor;
    const auto key = std::pair(tensor.storage().unsafeGetStorageImpl(), tensor.scalar_type());
    at::Tensor& whole = wholes_[key];
    if (!whole.defined()) {
      const auto count = static_cast<std::int64_t>(tensor.storage().nbytes() / tensor.element_size());
      whole = at::empty({0}, tensor.options()).set_(tensor.storage(), 0, {count}, {1}).to(at::kDouble, false, true);
    }
    return whole.as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset());
  }

  /// Of a list or dict, the elements are replaced: it stays the one that other names of it have.
  c10::IValue operator()(const c10::IValue& value) {
    if (value.isTensor()) return (*this)(value.toTensor().detach());
    if (value.isList()) {
      c10::List<c10::IValue> list = value.toList();
      for (std::size_t i = 0; i < list.size(); ++i) list.set(i, (*this)(list.get(i)));
    } else if (value.isGenericDict()) {
      for (const auto& entry : value.toGenericDict()) entry.setValue((*this)(entry.value()));
    }
    return value;
  }

 private:
  std::map<std::pair<c10::StorageImpl*, at::ScalarType>, at::Tensor> wholes_;
};

void constants_to_double(torch::jit::Block* block) {
  for (torch::jit::Node* node : block->nodes()) {
    const bool holds_tensor = node->kind() == c10::prim::Constant && node->hasAttribute(c10::attr::value) &&
                              node->kindOf(c10::attr::value) == torch::jit::AttributeKind::t;
    if (holds_tensor) node->t_(c10::attr::value, as_double(node->t(c10::attr::value)));
    for (torch::jit::Block* inner : node->blocks()) constants_to_double(inner);
  }
}

/// A load of its own, whose methods no other module shares.
torch::jit::Module in_double(const std::filesystem::path& path) {
  torch::jit::Module root = file::load(path).module;
  std::set<const void*> seen;
  InDouble widened;
  for (torch::jit::Module module : root.modules()) {
    for (const auto& attribute : module.named_attributes(/*recurse=*/false))
      if (!attribute.value.isModule()) module._ivalue()->setAttr(attribute.name, widened(attribute.value));
    for (const torch::jit::Method& method : module.get_methods())
      if (seen.insert(&method.function()).second)
        constants_to_double(torch::jit::toGraphFunction(method.function()).graph()->block());
  }
  return root;
}

void collect_floats(const c10::IValue& value, std::vector<at::Tensor>& tensors) {
  if (value.isTensor()) {
    if (value.toTensor().defined() && value.toTensor().is_floating_point()) tensors.push_back(value.toTensor());
  } else if (value.isList()) {
    for (const c10::IValue& element : value.toListRef()) collect_floats(element, tensors);
  } else if (value.isTuple()) {
    for (const c10::IValue& element : value.toTupleRef().elements()) collect_floats(element, tensors);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) collect_floats(entry.value(), tensors);
  }
}

std::vector<at::Tensor> floats_in(const c10::IValue& value) {
  std::vector<at::Tensor> tensors;
  collect_floats(value, tensors);
  return tensors;
}

/// True for floating-point tensors and containers of these; no other value rounds.
bool holds_only_floats(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor().defined() && value.toTensor().is_floating_point();
  if (value.isList()) return std::ranges::all_of(value.toListRef(), holds_only_floats);
  if (value.isTuple()) return std::ranges::all_of(value.toTupleRef().elements().vec(), holds_only_floats);
  if (!value.isGenericDict()) return false;
  for (const auto& entry : value.toGenericDict())
    if (!holds_only_floats(entry.value())) return false;
  return true;
}

/// Errors of a and b against the run in double, tensor by tensor: the worst of all runs.
class Errors {
 public:
  /// `what`: the same for the same value of each run. False where its tensors are not the same in number and shape.
  bool take(const std::string& what, const c10::IValue& a, const c10::IValue& b, const c10::IValue& exact) {
    const auto ours = floats_in(a);
    const auto theirs = floats_in(b);
    const auto right = floats_in(exact);
    if (ours.size() != right.size() || theirs.size() != right.size()) return false;
    for (std::size_t i = 0; i < right.size(); ++i) {
      if (ours[i].sizes() != right[i].sizes() || theirs[i].sizes() != right[i].sizes()) return false;
      const OutputError original = measure(right[i], ours[i]);
      const OutputError second = measure(right[i], theirs[i]);
      Error& error = errors_[{what, i}];
      error.rel = {std::max(error.rel.original, original.max_rel), std::max(error.rel.second, second.max_rel)};
      error.abs = {std::max(error.abs.original, original.max_abs), std::max(error.abs.second, second.max_abs)};
      error.slack = kSlack * (1 + kFew / std::sqrt(std::max<double>(1, static_cast<double>(right[i].numel()))));
    }
    return true;
  }

  /// Numbers beside which others may be next to nothing.
  void take_scale(const c10::IValue& exact) {
    for (const at::Tensor& tensor : floats_in(exact)) {
      const double largest = tensor.numel() == 0 ? 0 : tensor.abs().max().item<double>();
      if (std::isfinite(largest)) largest_ = std::max(largest_, largest);
    }
  }

  [[nodiscard]] RoundingVerdict verdict(double tolerance) const {
    RoundingVerdict verdict;
    verdict.passed = !errors_.empty();
    for (const auto& [at, error] : errors_) {
      if (error.rel.second >= verdict.worst.second) verdict.worst = error.rel;
      const bool holds = error.rel.second <= tolerance ||
                         (error.rel.original <= kMostRounding ? error.rel.second <= error.slack * error.rel.original
                                                              : is_other_noise(error));
      verdict.passed = verdict.passed && holds;
    }
    return verdict;
  }

 private:
  struct Error {
    OwnRounding rel;  ///< of the tensor's largest value
    OwnRounding abs;
    double slack = 0;
  };

  [[nodiscard]] bool is_other_noise(const Error& error) const {
    return std::max(error.abs.original, error.abs.second) <= kMostNoise * largest_;
  }

  using Place = std::pair<std::string, std::size_t>;  ///< of which value, the number of the tensor
  std::map<Place, Error> errors_;
  double largest_ = 0;
};

/// What runs write, besides their outputs: of what is further apart than the tolerance, the errors are taken. False where
/// that is no matter of rounding.
class Writes {
 public:
  Writes(Errors& errors, double tolerance) : errors_(errors), tolerance_(tolerance) {}

  bool take(const std::string& what, const c10::IValue& a, const c10::IValue& b, const c10::IValue& exact) {
    const Comparison comparison = compare(a, b);
    if (!comparison.failure.empty()) return false;
    if (comparison.error.max_rel <= tolerance_) return true;
    return holds_only_floats(a) && errors_.take(what, a, b, exact);
  }

  bool take_inputs(const Run& a, const Run& b, const Run& exact) {
    for (std::size_t i = 0; i < a.inputs.size(); ++i)
      if (!take(fmt::format("input {}", i), a.inputs[i], b.inputs[i], exact.inputs[i])) return false;
    return true;
  }

  bool take_attributes(const State& state, const torch::jit::Module& b, const torch::jit::Module& exact) {
    const auto theirs = attributes_of(b);
    const auto right = attributes_of(exact);
    for (const auto& [path, value] : state.written()) {
      if (theirs.count(path) == 0 || right.count(path) == 0) return false;
      if (!take(path, value, theirs.at(path), right.at(path))) return false;
    }
    return true;
  }

 private:
  Errors& errors_;
  double tolerance_;
};

}  // namespace

std::optional<RoundingVerdict> judge_rounding(const RoundingSides& sides, const Course& course,
                                              const VerifyReport& report) {
  const torch::NoGradGuard no_grad;
  const runtime::SeedGuard seed_guard;
  runtime::CapturedOutput captured;
  torch::jit::Module a = file::load(sides.a).module;
  torch::jit::Module exact = in_double(sides.a);
  torch::jit::Module b = file::load(sides.b).module;
  if (sides.a_in_eval) {
    a.eval();
    exact.eval();
  }
  if (sides.b_in_eval) b.eval();
  const Runnable second = sides.b_mobile ? in_mobile_interpreter(sides.b) : in_full_interpreter(b);
  const State state(a);
  Errors errors;
  for (int k = 0; k < report.samples; ++k) {
    const auto sample = course.sample(static_cast<std::size_t>(k)).second;
    inputs::Sample wide;
    for (const c10::IValue& value : sample) wide.push_back(as_double(value));
    for (int run = 0; run < report.runs; ++run) {
      const Run ours = run_once(in_full_interpreter(a), course.a_name, course.method, sample, captured);
      const Run theirs = run_once(second, course.b_name, course.method, sample, captured);
      const Run right = run_once(in_full_interpreter(exact), course.a_name, course.method, wide, captured);
      if (ours.problem || theirs.problem || right.problem) return std::nullopt;
      Writes writes(errors, report.tolerance);
      if (!writes.take_inputs(ours, theirs, right)) return std::nullopt;
      if (second.tree != nullptr && !writes.take_attributes(state, b, exact)) return std::nullopt;
      errors.take_scale(right.output);
      if (!errors.take("output", ours.output, theirs.output, right.output)) return std::nullopt;
    }
  }
  return errors.verdict(report.tolerance);
}

}  // namespace fusekit::gate
