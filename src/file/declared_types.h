#pragma once

#include <torch/script.h>

#include <string>

namespace fusekit::file {

/// LibTorch does not look whether the values in a file have the types that its classes declare, and code that was compiled
/// for the declared ones reads past the end of an object of another class. The first attribute of `module`, or of an
/// object in it, whose value has another type, as "__torch__.Net.conv"; empty where there is none.
std::string mistyped_attribute(const torch::jit::Module& module);

}  // namespace fusekit::file
