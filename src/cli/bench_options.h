#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/bench_matrix.h"
#include "cli/options.h"
#include "fusekit/bench.h"

namespace CLI {
class App;
}

namespace fusekit::cli {

/// "3%" or "0.03" -> 0.03. Error{usage} names `flag`.
double parse_share(const std::string& flag, const std::string& text);

/// The options of `fusekit bench`: speed_benchmark_torch's flags and FuseKit's own.
struct BenchFlags {
  CommonOptions common;
  InputFlags inputs;
  MatrixFlags matrix;

  // speed_benchmark_torch's
  std::vector<std::string> models;
  std::string model;  ///< --model, which speed_benchmark_torch has instead of MODEL
  bool no_inputs = false;
  bool use_caching_allocator = false;
  int use_bundled_input = -1;
  bool print_output = false;
  std::optional<int> warmup;
  std::optional<int> iterations;
  bool report_pep = false;
  int pytext_len = 0;
  bool vulkan = false;

  // FuseKit's
  std::optional<int> processes;
  std::optional<double> max_seconds;
  std::string until_ci;
  bool quick = false;
  bool csv = false;
  bool markdown = false;
  std::string save;
  std::string baseline;
  std::string baseline_model;
  std::string max_regression;
  bool require_power = false;
  bool ignore_mismatch = false;
  std::vector<std::string> samples;
  std::string html;
  bool profile = false;
  std::vector<std::string> commands;

  void add_to(CLI::App& app);
  /// Call it after parsing: handles `--vulkan true` (with a blank) and --model, and checks the options. Error{usage}.
  void finish();

  /// Whether one file is timed with no option that speed_benchmark_torch does not have.
  [[nodiscard]] bool once() const;
  /// The baseline model first; see matrix_variants.
  [[nodiscard]] std::vector<bench::Variant> variants() const;
  [[nodiscard]] bench::Options options() const;
  [[nodiscard]] double allowed_regression() const;

 private:
  void check_samples_alone() const;
  void check_numbers() const;
  void check_combinations() const;
};

}  // namespace fusekit::cli
