#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <optional>
#include <string>
#include <vector>

#include "inputs/input_hints.h"

namespace fusekit::inputs {

/// The attribute or constant behind a value; None where it is computed. `self` is the graph's first input.
c10::IValue stored_value(const torch::jit::Value* value, const torch::jit::Module& self);

/// What `node` asks of its input number `at`, where it is one of the operators that say; `self` holds its weights.
std::optional<InputHint> hint_of(torch::jit::Node& node, std::size_t at, const torch::jit::Module& self);

}  // namespace fusekit::inputs
