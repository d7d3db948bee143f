#pragma once

#include <torch/script.h>

#include <filesystem>
#include <map>
#include <string>

namespace fusekit::test {

/// A module tree from its parts: {"conv.weight": tensor} become parameters ("*running_*" and "num_batches_tracked":
/// buffers) of submodules made on the way, and `source` is the root's methods in TorchScript. Every module is in eval().
torch::jit::Module make_module(const std::string& class_name, const std::map<std::string, at::Tensor>& tensors,
                               const std::string& source);

/// Puts another operator in place of each `op` of forward: one that TorchScript's text can't name before its library is
/// loaded. Both are qualified names, e.g. "aten::neg".
void replace_operators(const torch::jit::Module& module, const std::string& op, const std::string& other);

/// make_module, saved to `path`.
void save_module(const torch::jit::Module& module, const std::filesystem::path& path);

}  // namespace fusekit::test
