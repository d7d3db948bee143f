#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

#include "fusekit/inputs.h"

namespace fusekit::inputs {

/// Shape, type and memory format of one argument, from options.dims, types and memory_formats.
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

/// One sample, drawn from a generator of its own; the global generator is not changed.
std::vector<c10::IValue> draw(const std::vector<ArgumentForm>& forms, std::int64_t int_high, std::uint64_t seed);

/// The same shapes and types, of tensors without data (on the meta device).
std::vector<c10::IValue> blank(const std::vector<ArgumentForm>& forms);

}  // namespace fusekit::inputs
