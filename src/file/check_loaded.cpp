#include "file/check_loaded.h"

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "file/declared_types.h"
#include "fusekit/error.h"

namespace fusekit::file {
namespace {

constexpr std::uint64_t kMostValues = 10'000'000;
constexpr std::uint64_t kMostOperators = 2'000'000;  // a ResNet-152 has some 3,000
constexpr int kDeepestValue = 1000;

Error too_much(const std::filesystem::path& path, const std::string& what) {
  return {ErrorKind::file, fmt::format("{}: {}", path.string(), what),
          "no network does this: the file is made to hurt"};
}

/// Counts the values in a value, each as often as a walk through it would meet it.
class Values {
 public:
  explicit Values(const std::filesystem::path& path) : path_(path) {}

  std::uint64_t count(const c10::IValue& value, int depth = 0) {
    const bool is_container = value.isList() || value.isTuple() || value.isGenericDict() || value.isObject();
    if (!is_container) return 1;
    if (depth > kDeepestValue) throw too_much(path_, "its attributes are nested more than 1000 deep");
    const auto [known, is_new] = counts_.emplace(value.internalToPointer(), kInside);
    if (!is_new && known->second == kInside) throw too_much(path_, "an attribute holds itself");
    if (!is_new) return known->second;
    const std::uint64_t sum = inside(value, depth + 1);
    if (sum > kMostValues) throw too_much(path_, "its attributes hold more than 10 million values, taken apart");
    return counts_[value.internalToPointer()] = sum;
  }

 private:
  static constexpr std::uint64_t kInside = 0;  // being counted

  std::uint64_t inside(const c10::IValue& value, int depth) {
    std::uint64_t sum = 1;
    const auto add = [&](const c10::IValue& element) { sum = std::min(kMostValues + 1, sum + count(element, depth)); };
    if (value.isList()) {
      for (const c10::IValue& element : value.toListRef()) add(element);
    } else if (value.isTuple()) {
      for (const c10::IValue& element : value.toTupleRef().elements()) add(element);
    } else if (value.isGenericDict()) {
      for (const auto& entry : value.toGenericDict()) {
        add(entry.key());
        add(entry.value());
      }
    } else {
      for (const c10::IValue& slot : value.toObjectRef().slots()) add(slot);
    }
    return sum;
  }

  const std::filesystem::path& path_;
  std::map<const void*, std::uint64_t> counts_;
};

/// Counts the operators of a function, those of the functions that it calls included.
class Operators {
 public:
  explicit Operators(const std::filesystem::path& path) : path_(path) {}

  std::uint64_t count(torch::jit::Function& function) {
    const auto* code = torch::jit::tryToGraphFunction(function);
    if (code == nullptr) return 1;
    const auto [known, is_new] = counts_.emplace(&function, 0);
    if (!is_new) return known->second;
    const std::uint64_t sum = inside(code->graph()->block());
    if (sum > kMostOperators)
      throw too_much(path_,
                     fmt::format("{} has more than 2 million operators, with those of the functions that it calls",
                                 function.name()));
    return counts_[&function] = sum;
  }

 private:
  std::uint64_t inside(const torch::jit::Block* block) {
    std::uint64_t sum = 0;
    for (const torch::jit::Node* node : block->nodes()) {
      sum += 1;
      if (torch::jit::Function* called = called_by(node)) sum += count(*called);
      for (const torch::jit::Block* inner : node->blocks()) sum += inside(inner);
      sum = std::min(sum, kMostOperators + 1);
    }
    return sum;
  }

  static torch::jit::Function* called_by(const torch::jit::Node* node) {
    if (node->kind() == c10::prim::CallFunction) {
      const auto type = node->input(0)->type()->cast<c10::FunctionType>();
      return type ? type->function() : nullptr;
    }
    if (node->kind() != c10::prim::CallMethod) return nullptr;
    const auto type = node->input(0)->type()->cast<c10::ClassType>();
    return type ? type->findMethod(node->s(c10::attr::name)) : nullptr;
  }

  const std::filesystem::path& path_;
  std::map<const torch::jit::Function*, std::uint64_t> counts_;
};

}  // namespace

void check_loaded(const torch::jit::Module& module, const std::filesystem::path& path) {
  Values(path).count(module._ivalue());
  if (const std::string attribute = mistyped_attribute(module); !attribute.empty())
    throw Error(ErrorKind::file, fmt::format("{}: the value of {} is not of its type", path.string(), attribute),
                "copy it again, or save it again");
  Operators operators(path);
  for (const torch::jit::Module& each : module.modules())
    for (const torch::jit::Method& method : each.get_methods()) operators.count(method.function());
}

}  // namespace fusekit::file
