#pragma once

#include <torch/script.h>

#include <optional>
#include <string>

namespace fusekit::inputs {

/// "float" -> at::kFloat; also the common spellings float32, float64, float16, uint8, long. nullopt for other names.
std::optional<at::ScalarType> find_dtype(const std::string& name);

/// The name that InputOptions::types takes, e.g. "float", "uint8_t".
std::string name_of(at::ScalarType dtype);

/// All names that it takes, for messages: "float, double, half, ...".
std::string dtype_names();

}  // namespace fusekit::inputs
