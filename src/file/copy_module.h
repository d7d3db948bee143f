#pragma once

#include <torch/script.h>

#include <functional>
#include <optional>
#include <set>
#include <string>

namespace fusekit::file {

/// Is this attribute to be shared with the copy? `path` as "layer1.0.conv1.weight".
using Shares = std::function<bool(const std::string& path, const c10::IValue& value)>;

/// A module tree of its own with the same types and code: what the copy's methods write, the original does not see.
/// Modules, tensors, storages and containers that were one under several names are one in the copy, too; requires_grad
/// and strides are kept. `shares` is asked for tensors and objects of custom classes, also of those in a container (by
/// the container's path). nullopt where something that is not shared can't be copied faithfully: an object of a custom
/// class, a tensor without plain memory.
std::optional<torch::jit::Module> copy_module(const torch::jit::Module& module, const Shares& shares);

/// A copy to be run, which shares with `module` what no method writes. `written`: the paths of attributes that one may.
/// Error{model} where what is written can't be copied.
torch::jit::Module copy_with_own_state(const torch::jit::Module& module, const std::set<std::string>& written);

}  // namespace fusekit::file
