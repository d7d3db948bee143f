#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "fusekit/bench.h"

namespace CLI {
class App;
}

namespace fusekit::cli {

/// The settings that each model is measured in: every combination of these lists is a cell.
struct MatrixFlags {
  std::vector<int> threads = {0};
  std::vector<std::string> engines = {"auto"};
  std::vector<std::string> dtypes = {""};
  std::vector<int> streams = {1};
  std::vector<std::string> environments = {""};  ///< each "NAME=VALUE NAME=VALUE"

  void add_to(CLI::App& app);
  /// Whether there is more than one setting, or one that speed_benchmark_torch does not know.
  [[nodiscard]] bool several() const;
};

/// One variant for each model and setting. `inputs.dims` may hold several inputs with '|' between them; `inputs.types`
/// as well, or one for all. With several models each is compared with the first one in the same setting, else each
/// setting with the first. Labels name the model and the settings that vary.
std::vector<bench::Variant> cells_of(const std::vector<std::string>& models, const InputFlags& inputs,
                                     const bench::Arguments& arguments, const MatrixFlags& matrix);

/// One variant for each command line, labelled by its beginning.
std::vector<bench::Variant> programs_of(const std::vector<std::string>& commands);

}  // namespace fusekit::cli
