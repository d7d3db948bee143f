#pragma once

#include <torch/script.h>

#include <filesystem>

#include "fusekit/inputs.h"
#include "fusekit/runtime.h"

namespace fusekit {

struct ReadyOptions {
  /// Threads and libraries of this process. With engine "auto", an int8 file gets the engine that runs it fastest.
  RuntimeOptions runtime{};
  /// What forward is given in use; not given: worked out of the graph.
  InputOptions inputs{};
  /// Runs before it is handed out: LibTorch's executor records the first and compiles in the second, oneDNN makes its
  /// kernels in both.
  int warm_up = 4;
  /// Freezes the network and has LibTorch's oneDNN Graph fuser compile it: a switch of the whole process, that does the
  /// same to every TorchScript network whose first run comes later (each new shape of an input costs them some 0.1 s,
  /// and networks that are not frozen up to a minute). For float files written for "portable".
  bool graph_fuser = false;
};

/// Loads a file and makes it ready: the switches that suit it are set, and its runs are as fast as they will be. Its state
/// is the file's; it is in eval() where the file is. Use it under torch::InferenceMode or torch::NoGradGuard.
/// Error{file}: as `read`. Error{usage}, Error{unsupported}: as `apply`, or this LibTorch has no oneDNN Graph fuser.
/// Error{input}, Error{model}: it can't be run on the inputs.
torch::jit::Module load_ready(const std::filesystem::path& path, const ReadyOptions& options = {});

}  // namespace fusekit
