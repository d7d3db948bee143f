#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fusekit::ir {

using torch::jit::Node;
using torch::jit::Value;

/// Is `node` one of these operators ("aten::conv2d"), with a schema, so that its arguments can be read by name?
bool is_operator(const Node* node, std::initializer_list<std::string_view> names);

/// The argument of this name; nullptr where the operator has none.
Value* argument(Node* node, std::string_view name);
const Value* argument(const Node* node, std::string_view name);

// What a value always is. nullopt where it is computed at run time, has another type, or is nullptr.

/// The constant, or a tuple of constants where a list or tuple is built of them.
std::optional<c10::IValue> constant(const Value* value);
std::optional<std::int64_t> constant_int(const Value* value);
std::optional<double> constant_number(const Value* value);  ///< int or float
std::optional<bool> constant_bool(const Value* value);
std::optional<std::string> constant_string(const Value* value);
/// int[]; one number (an int, or a list of one) stands for `size` of them.
std::optional<std::vector<std::int64_t>> constant_ints(const Value* value, std::size_t size);
/// int[] of any length.
std::optional<std::vector<std::int64_t>> constant_ints(const Value* value);

/// Is `value` the constant None? False for nullptr.
bool is_none(const Value* value);

/// Is `value` a tensor (not a list of them, not None)?
bool is_tensor(const Value* value);

}  // namespace fusekit::ir
