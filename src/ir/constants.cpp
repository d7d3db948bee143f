#include "ir/constants.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>

namespace fusekit::ir {
namespace {

std::optional<std::size_t> argument_index(const Node* node, std::string_view name) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr) return std::nullopt;
  const auto index = schema->argumentIndexWithName(std::string(name));
  if (!index || static_cast<std::size_t>(*index) >= node->inputs().size()) return std::nullopt;
  return static_cast<std::size_t>(*index);
}

}  // namespace

bool is_operator(const Node* node, std::initializer_list<std::string_view> names) {
  const std::string_view name = node->kind().toQualString();
  return std::find(names.begin(), names.end(), name) != names.end() && node->maybeSchema() != nullptr;
}

Value* argument(Node* node, std::string_view name) {
  const auto index = argument_index(node, name);
  return index ? node->input(*index) : nullptr;
}

const Value* argument(const Node* node, std::string_view name) {
  const auto index = argument_index(node, name);
  return index ? node->input(*index) : nullptr;
}

std::optional<c10::IValue> constant(const Value* value) {
  if (value == nullptr) return std::nullopt;
  if (auto stored = torch::jit::toIValue(value)) return stored;
  const Node* node = value->node();
  if (node->kind() != c10::prim::ListConstruct && node->kind() != c10::prim::TupleConstruct) return std::nullopt;
  std::vector<c10::IValue> elements;
  for (const Value* input : node->inputs()) {
    auto element = constant(input);
    if (!element) return std::nullopt;
    elements.push_back(std::move(*element));
  }
  return c10::ivalue::Tuple::create(std::move(elements));
}

std::optional<std::int64_t> constant_int(const Value* value) {
  const auto stored = constant(value);
  return stored && stored->isInt() ? std::optional(stored->toInt()) : std::nullopt;
}

std::optional<double> constant_number(const Value* value) {
  const auto stored = constant(value);
  if (!stored || !(stored->isInt() || stored->isDouble())) return std::nullopt;
  return stored->toScalar().toDouble();
}

std::optional<bool> constant_bool(const Value* value) {
  const auto stored = constant(value);
  return stored && stored->isBool() ? std::optional(stored->toBool()) : std::nullopt;
}

std::optional<std::string> constant_string(const Value* value) {
  const auto stored = constant(value);
  return stored && stored->isString() ? std::optional(stored->toStringRef()) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> constant_ints(const Value* value) {
  const auto stored = constant(value);
  if (!stored) return std::nullopt;
  if (stored->isInt()) return std::vector<std::int64_t>{stored->toInt()};
  if (stored->isIntList()) return stored->toIntVector();
  if (!stored->isTuple()) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const c10::IValue& element : stored->toTupleRef().elements()) {
    if (!element.isInt()) return std::nullopt;
    numbers.push_back(element.toInt());
  }
  return numbers;
}

std::optional<std::vector<std::int64_t>> constant_ints(const Value* value, std::size_t size) {
  auto numbers = constant_ints(value);
  if (!numbers) return std::nullopt;
  if (numbers->size() == 1) numbers->resize(size, numbers->front());
  return numbers->size() == size ? numbers : std::nullopt;
}

bool is_none(const Value* value) { return value != nullptr && value->mustBeNone(); }

bool is_tensor(const Value* value) { return value->type()->isSubtypeOf(*c10::TensorType::get()); }

}  // namespace fusekit::ir
