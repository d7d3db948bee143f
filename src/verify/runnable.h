#pragma once

#include <torch/script.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace fusekit::gate {

/// What can be run: a module, or a file in the interpreter that phones have.
struct Runnable {
  std::function<bool(const std::string& method)> has;
  std::function<c10::IValue(const std::string& method, const std::vector<c10::IValue>& inputs)> run;
  const torch::jit::Module* tree = nullptr;  ///< that holds its state; nullptr: its state can't be seen
};

/// The module must live as long as the network.
Runnable in_full_interpreter(torch::jit::Module& module);

/// Loads the bytecode of a file. Error{model}: the mobile interpreter can't load it.
Runnable in_mobile_interpreter(const std::filesystem::path& path);

}  // namespace fusekit::gate
