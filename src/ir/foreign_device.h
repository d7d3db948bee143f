#pragma once

#include <torch/script.h>

#include <string>

namespace fusekit::ir {

/// "aten::zeros in encoder works on cuda:0": the first operator of `method` to which a device of another kind than the CPU
/// is written down; "" where there is none, or where `problem`, the reason why the method can't be run, names no such
/// device.
std::string foreign_device_in(const torch::jit::Module& module, const std::string& method, const std::string& problem);

/// What to do about it.
inline constexpr const char* kForeignDeviceHint =
    "save it for the CPU: trace it there, or let what it makes follow its inputs (device=x.device)";

}  // namespace fusekit::ir
