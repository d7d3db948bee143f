#include <torch/csrc/jit/serialization/export.h>

#include <algorithm>

#include "file/load.h"
#include "fusekit/error.h"
#include "fusekit/inspect.h"
#include "fusekit/runtime.h"

namespace fusekit {

std::vector<std::string> root_operators(const std::filesystem::path& path) {
  const file::Loaded loaded = file::load(path);
  std::vector<std::string> operators;
  try {
    operators = torch::jit::export_opnames(loaded.module);
  } catch (const std::exception& error) {
    throw Error(ErrorKind::model, fmt::format("{} has no bytecode: {}", path.string(), reason_of(error)));
  }
  std::sort(operators.begin(), operators.end());
  operators.erase(std::unique(operators.begin(), operators.end()), operators.end());
  return operators;
}

}  // namespace fusekit
