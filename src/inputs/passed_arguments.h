#pragma once

#include <torch/script.h>

#include <optional>
#include <string>

#include "inputs/inputs.h"

namespace fusekit::inputs {

/// What forward passes to another method of the root module when it is run on `sample`: the arguments of the first call.
/// nullopt where the run comes to none. The run changes a module with state.
std::optional<Sample> passed_arguments(torch::jit::Module& module, const std::string& method, const Sample& sample);

/// "1x576x7x7 float; =false": what a sample holds, in words.
std::string text_of(const Sample& sample);

}  // namespace fusekit::inputs
