#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "quantize/lower/conversion.h"

namespace fusekit::quantize {

// Readers of an operator's settings. nullopt: not constant, or something else.

std::optional<std::int64_t> constant_int(const Value* value);
std::optional<double> constant_number(const Value* value);  ///< int or float
std::optional<bool> constant_bool(const Value* value);
/// int[] as a constant or as a list of constants; one number stands for `size` of them.
std::optional<std::vector<std::int64_t>> constant_ints(const Value* value, std::size_t size);

/// "aten::conv2d" and the like.
bool is_operator(const Node* node, std::initializer_list<std::string_view> names);

/// Does this operator read no more of a tensor than its shape? An int8 tensor answers it as well as a float one.
bool reads_only_the_shape(const Node* node);

/// The one node that reads more of `value` than its shape; nullptr where there are none or several.
Node* only_reader(const Value* value);

/// The activation that `node` is, as a clamp of its input.
std::optional<Clamp> as_clamp(Node* node);

/// A convolution of any spelling with all its settings, each of length `spatial`.
struct ConvolutionSettings {
  std::size_t spatial = 0;  ///< 1, 2 or 3
  Value* input = nullptr;
  Value* weight = nullptr;
  Value* bias = nullptr;
  std::vector<std::int64_t> stride, padding, dilation, output_padding;
  std::int64_t groups = 1;
  bool transposed = false;
};

/// nullopt and `why`: what is not known or has no int8 form.
std::optional<ConvolutionSettings> convolution_settings(Node* node, const ir::Program& program, std::string& why);

}  // namespace fusekit::quantize
