#pragma once

#include <torch/script.h>

#include <filesystem>

#include "ir/program.h"

namespace fusekit::file {

/// A file as torch::jit::load gives it, checked before and translated after.
struct Loaded {
  torch::jit::Module module;
  ir::ExtraFiles extra;
};

/// Loads `path` onto the CPU. What LibTorch throws becomes Error{file} with the path; a file that is something else (a
/// folder, text, a state_dict, a torch.export archive, ONNX) is named for what it is, with the way to a TorchScript file.
Loaded load(const std::filesystem::path& path);

}  // namespace fusekit::file
