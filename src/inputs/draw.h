#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

#include "fusekit/inputs.h"

namespace fusekit::inputs {

/// What one argument is made of: options.dims, types and memory_formats, each brought to one entry an argument.
struct ArgumentForm {
  std::vector<std::int64_t> dims;
  std::string type;
  std::string memory_format;
};

/// Error{usage}: an unknown type or memory format, or more of them than shapes.
std::vector<ArgumentForm> argument_forms(const InputOptions& options);

/// The options that `argument_forms` turns into `forms`.
InputOptions options_of(const std::vector<ArgumentForm>& forms);

/// "1x3x224x224 float", "2x5 int64[]", "=3".
std::string describe(const ArgumentForm& form);

/// All of them: "1x3x224x224 float; 1x10 int64".
std::string text_of(const std::vector<ArgumentForm>& forms);

/// An argument that is no tensor: its type is written "=3".
bool is_literal(const ArgumentForm& form);

/// One sample, drawn from its own generator; the global one is left alone.
std::vector<c10::IValue> draw(const std::vector<ArgumentForm>& forms, std::int64_t int_high, std::uint64_t seed);

}  // namespace fusekit::inputs
