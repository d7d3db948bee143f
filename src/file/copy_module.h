#pragma once

#include <torch/script.h>

#include <functional>
#include <optional>
#include <string>

namespace fusekit::file {

/// Is this attribute to be shared with the copy? `path` as "layer1.0.conv1.weight".
using Shares = std::function<bool(const std::string& path, const c10::IValue& value)>;

/// A module tree of its own with the same types and code: what the copy's methods write, the original does not see.
/// Modules, tensors and storages that were one under several names are one in the copy, too; requires_grad and strides
/// are kept. nullopt where something that is not shared can't be copied faithfully: a module that packs its own state
/// (__getstate__), an object of a custom class, a tensor without plain memory, a container with any of these or tensors.
std::optional<torch::jit::Module> copy_module(const torch::jit::Module& module, const Shares& shares);

}  // namespace fusekit::file
