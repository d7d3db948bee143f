#pragma once

#include <torch/script.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inputs/inputs.h"

namespace fusekit::inputs {

/// The shapes that a fast road of a file for CPUs (target cpu) asks for, one for each argument of forward; nullopt for an
/// argument that it asks nothing about, or what is no single tensor.
using PackedShapes = std::vector<std::optional<std::vector<std::int64_t>>>;

/// What a file is packed for, as its own forward asks: one for each fast road. Empty: it has none.
std::vector<PackedShapes> packed_shapes(const torch::jit::Module& module);

/// Do the tensors have the shapes of one of them?
bool fits_packed(const std::vector<PackedShapes>& packed, const Sample& sample);

/// "1x3x224x224 | 1x3x256x256"; arguments are separated by "; ".
std::string text_of(const std::vector<PackedShapes>& packed);

}  // namespace fusekit::inputs
