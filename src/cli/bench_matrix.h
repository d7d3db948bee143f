#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "fusekit/bench.h"

namespace CLI {
class App;
}

namespace fusekit::cli {

/// The settings in which each model is measured: every combination of the values in these lists.
struct MatrixFlags {
  std::vector<int> threads = {0};
  std::vector<std::string> engines = {"auto"};
  std::vector<std::string> dtypes = {""};
  std::vector<std::string> graph_fusers = {"off"};  ///< "off", "on"
  std::vector<int> streams = {1};
  std::vector<std::string> environments = {""};  ///< each "NAME=VALUE NAME=VALUE"

  void add_to(CLI::App& app);
  /// Whether there is more than one setting, or one that speed_benchmark_torch does not have.
  [[nodiscard]] bool several() const;
};

/// One variant for each model and setting. `inputs.dims` may have several inputs, separated by '|'; `inputs.types` has as
/// many, or one for all. Several models: each is compared with the first model in the same setting. One model: each
/// setting is compared with the first setting. Labels consist of the model and the settings that vary.
std::vector<bench::Variant> matrix_variants(const std::vector<std::string>& models, const InputFlags& inputs,
                                            const bench::Arguments& arguments, const MatrixFlags& matrix);

/// One variant for each external program; its label is the beginning of its command line.
std::vector<bench::Variant> program_variants(const std::vector<std::string>& commands);

}  // namespace fusekit::cli
