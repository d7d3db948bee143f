#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

#include "ir/program.h"

namespace fusekit::test {

/// A convolution that packs: `packed` is -weight, and forward convolves -x with it, which gives the very same numbers
/// under any LibTorch. The plain weight and bias are parameters.
ir::NewModule negating_convolution(const at::Tensor& weight, const at::Tensor& bias);

/// Gives every aten::conv2d of forward with one stride, padding, dilation and group to a module of its own, made by
/// `make` from weight and bias, under the path of the weight's module. Returns the modules' keys.
std::vector<std::string> pack_convolutions(ir::Program& program,
                                           ir::NewModule (*make)(const at::Tensor& weight, const at::Tensor& bias));

}  // namespace fusekit::test
