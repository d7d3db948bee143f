#pragma once

#include <ATen/core/stack.h>

#include <string>

namespace fusekit::runtime {

// LibTorch's operators by their names ("quantized::linear"), which not every LibTorch has.

bool has_operator(const std::string& name);

/// Runs the operator, in its first form, on a stack of its arguments; what it gives first. Throws c10::Error where this
/// LibTorch lacks it.
c10::IValue call_operator(const std::string& name, torch::jit::Stack arguments);

}  // namespace fusekit::runtime
