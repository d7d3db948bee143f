#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "fusekit/tree.h"

namespace fusekit {

struct MethodInfo {
  std::string name;
  std::string signature;  ///< "forward(x: Tensor) -> Tensor"
};

struct OperatorCount {
  std::string name;  ///< "aten::conv2d"
  std::size_t count = 0;
};

/// Parameters or buffers; a tensor under two names counts once.
struct TensorTotals {
  std::size_t tensors = 0;
  std::int64_t elements = 0;
  std::int64_t bytes = 0;
};

/// What a TorchScript file holds.
struct FileInfo {
  std::uintmax_t file_bytes = 0;
  std::uint64_t format_version = 0;      ///< of the archive, as PyTorch counts it (3 in 1.6)
  bool has_mobile_bytecode = false;      ///< also readable by the mobile interpreter
  std::vector<std::string> extra_files;  ///< below the archive's extra/
  ModuleTree tree;
  std::vector<MethodInfo> methods;       ///< of the root; forward first
  std::vector<OperatorCount> operators;  ///< of all methods, calls followed; most frequent first
  TensorTotals parameters;
  TensorTotals buffers;
  std::vector<std::string> in_training;  ///< as Model::modules_in_training
};

/// Reads a TorchScript file and runs nothing of it. Error{file} as `read`.
FileInfo inspect(const std::filesystem::path& path);

}  // namespace fusekit
