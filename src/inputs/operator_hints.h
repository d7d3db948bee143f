#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <optional>
#include <string>
#include <vector>

#include "inputs/input_hints.h"

namespace fusekit::inputs {

/// What `node` asks of its input number `at`, where it is one of the operators that say; `self` holds its weights.
std::optional<InputHint> hint_of(const torch::jit::Node& node, std::size_t at, const torch::jit::Module& self);

/// The constant argument of this name; none where it is computed or there is no such argument.
std::optional<c10::IValue> constant_input(const torch::jit::Node& node, const char* name);

/// A list of integers, as one constant or put together of constants.
std::optional<std::vector<std::int64_t>> constant_ints(const torch::jit::Node& node, const char* name);

}  // namespace fusekit::inputs
