#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace fusekit::inputs {

/// The array of a .npy file's bytes (format versions 1 to 3): half, float, double, int8 to int64, uint8 or bool, in C or
/// Fortran order, little-endian. The returned tensor is contiguous. Error{file} names `where` and what is wrong.
at::Tensor parse_npy(std::string_view bytes, const std::string& where);

}  // namespace fusekit::inputs
