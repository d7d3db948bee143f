#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fusekit {

class Error;

inline constexpr double kDefaultRunLimit = 600;  ///< seconds

/// Process-wide switches of LibTorch, the same for every command that runs a model.
struct RuntimeOptions {
  int threads = 0;              ///< intra-op threads; 0: LibTorch's default
  std::string engine = "auto";  ///< quantized engine: auto (LibTorch's default), onednn, x86, fbgemm, qnnpack
  std::vector<std::string> libraries = {};  ///< for load_libraries
  /// The seconds that one run of a network, or the load of a file, may take. Not given: kDefaultRunLimit, and 15 for each
  /// guess at a network's inputs. What takes longer is stopped at its next operator: Error{model}.
  std::optional<double> run_limit = {};
  /// The bytes of memory that this process may have while a network runs or a file is loaded. Not given: any, and 4 GiB
  /// more than before (or half of what the machine has left) for guesses. An operator that wants more is Error{model}.
  std::optional<std::uint64_t> max_memory = {};
};

/// Error{usage} for a negative thread count, an unknown engine or a library that can't be loaded; Error{unsupported} for
/// an engine that this LibTorch lacks (the hint names those it has), or a limit of 0.
void apply(const RuntimeOptions& options);

/// Shared libraries that bring operators or classes of their own (TORCH_LIBRARY), as Python's torch.ops.load_library takes
/// them: torchvision's _C.so has torchvision::nms. A file's path, or a name that the dynamic linker finds. They stay
/// loaded. Error{usage}.
void load_libraries(const std::vector<std::string>& libraries);

/// The part of `apply` that sets run_limit and max_memory.
void set_limits(const RuntimeOptions& options);

/// Some runs can't be stopped at their next operator: where one operator does not come back, or a loop has none. For a
/// program that would rather end than hang: `tell` is called with the reason, from a thread of its own, unfinished files
/// are removed, and the process ends with exit code 2. Call it before the first run.
void end_process_at_limits(std::function<void(const Error&)> tell);

/// Files that are being written have hidden names where the file system lacks unnamed ones, and `tune` has a hidden folder.
/// For a program that does its work in a child process: call the first before it starts the child, and the second when the
/// child has ended, so that nothing is left behind however that was.
void share_unfinished_files();
void remove_unfinished_files();

/// The reason in an exception of LibTorch's, in one line, without its backtraces.
std::string reason_of(const std::exception& error);

/// The version of the LibTorch that runs, e.g. "2.13.0".
std::string libtorch_version();

/// The quantized engines that this LibTorch has, e.g. {"qnnpack", "onednn", "x86", "fbgemm"}.
std::vector<std::string> quantized_engines();

}  // namespace fusekit
