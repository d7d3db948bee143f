#pragma once

#include <torch/script.h>

#include <filesystem>

namespace fusekit::file {

/// A small file can hold what nobody comes to the end of: a list of ten times the list below, forty levels deep, or functions
/// that each call the one before twice, which LibTorch writes out where they are called. Error{file} where attributes hold
/// more values, taken apart, or are nested deeper, than any network's, where code has more operators, or where an attribute
/// holds an object of another class than it declares (declared_types.h).
void check_loaded(const torch::jit::Module& module, const std::filesystem::path& path);

}  // namespace fusekit::file
