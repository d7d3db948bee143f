#pragma once

#include <filesystem>
#include <functional>

#include "file/atomic_file.h"
#include "fusekit/write.h"
#include "ir/program.h"

namespace fusekit::file {

/// The unnamed file that is to become `output`. Error as check_output.
AtomicFile begin_output(const std::filesystem::path& output, const std::filesystem::path& input,
                        const WriteOptions& options);

/// How a program is saved.
struct Saving {
  /// The last changes to the rebuilt tree; empty: none.
  std::function<torch::jit::Module(torch::jit::Module tree, const ir::Program& program)> finish{};
  bool mobile_bytecode = false;  ///< beside the code: for the mobile interpreter
};

/// Writes the program as a TorchScript file and flushes it to the disk. The program is taken by value so that its weights
/// are freed afterwards. Error{model}: it can't be saved; Error{file}: the disk.
void serialize(ir::Program program, AtomicFile& file, const Saving& saving = {});

}  // namespace fusekit::file
