#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/inputs.h"
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

/// Of one run of forward.
struct MultiplyAdds {
  double count = 0;
  std::size_t unknown = 0;  ///< operators that are not counted: only a run would tell their shapes
  std::string inputs;       ///< InputSummary::text: for which inputs
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
  std::string packed_for;  ///< of a file for CPUs: the shapes of its fast roads, "1x3x224x224"; else empty
  std::vector<std::string> in_training;         ///< as Model::modules_in_training
  std::optional<MultiplyAdds> multiply_adds{};  ///< only where the inputs' shapes are given, and `read` takes the file
};

/// Reads a TorchScript file and runs nothing of it: multiply-adds are counted by shapes alone, for the dims and types of
/// `inputs`. Error{file} as `read`; Error{input}, Error{usage}: the dims do not fit forward's arguments.
FileInfo inspect(const std::filesystem::path& path, const InputOptions& inputs = {});

/// The operators that a file's methods call on the mobile interpreter, with their overloads ("aten::add.Tensor"), sorted:
/// what a custom build of PyTorch Mobile must include (its SELECTED_OP_LIST). Runs nothing. Error{file} as `read`;
/// Error{model}: the mobile interpreter has no bytecode for the file.
std::vector<std::string> root_operators(const std::filesystem::path& path);

}  // namespace fusekit
