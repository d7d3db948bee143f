#include "cli/bench_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "fusekit/error.h"

namespace fusekit::cli {
namespace {

constexpr double kDefaultSeconds = 20;
constexpr double kQuickSeconds = 5;
constexpr double kUntilSeconds = 180;  // default with --until-ci
constexpr const char* kDefaultRegression = "3%";
constexpr int kMaxThreads = 4096;

void add_compatible_flags(CLI::App& app, BenchFlags& flags) {
  const char* group = "As speed_benchmark_torch has them";
  app.add_option("--model", flags.model, "A TorchScript file")->group(group);
  app.add_option("--warmup", flags.warmup, "Runs before the timed ones (default: 0; comparing: until steady)")
      ->group(group);
  app.add_option("--iter", flags.iterations, "Timed runs (default: 10; comparing: by time, in each process)")
      ->group(group);
  app.add_flag("--report_pep,--report-pep", flags.report_pep, "A PyTorchObserver line for each run")->group(group);
  app.add_flag("--print_output,--print-output", flags.print_output, "Print the network's output first")->group(group);
  app.add_flag("--no_inputs,--no-inputs", flags.no_inputs, "forward takes no arguments")->group(group);
  app.add_option(both("use_bundled_input"), flags.use_bundled_input, "Number of the input bundled in the file")
      ->group(group);
  app.add_option(both("pytext_len"), flags.pytext_len, "Adds an int64 argument with this value")->group(group);
  app.add_flag("--use_caching_allocator,--use-caching-allocator", flags.use_caching_allocator,
               "Accepted; only LibTorch's mobile builds have that allocator")
      ->group(group);
  app.add_flag("--vulkan", flags.vulkan, "Refused: FuseKit measures on the CPU")->group(group);
}

void add_sampling_options(CLI::App& app, BenchFlags& flags) {
  const char* group = "Sampling";
  app.add_option("--max-time", flags.max_seconds, "Seconds for everything (default: 20)")->group(group);
  app.add_option("--until-ci", flags.until_ci, "Go on until the interval is narrower than this, e.g. 1% (up to 180 s)")
      ->group(group);
  app.add_option("--processes", flags.processes,
                 "Fresh worker processes (default: 8 to 16, as many as the time is enough for)")
      ->group(group);
  app.add_flag("--quick", flags.quick, "One process, 5 s: promises less, and says so")->group(group);
  app.add_option("--against-command", flags.commands,
                 "Compare with a program that prints the time of each of its runs, in microseconds, a line")
      ->allow_extra_args(false)
      ->group(group);
}

void add_regression_options(CLI::App& app, BenchFlags& flags) {
  const char* group = "Gate";
  app.add_option("--save", flags.save, "Write the result to this file")->group(group);
  app.add_option("--baseline", flags.baseline, "Compare with what --save wrote")->group(group);
  app.add_option("--baseline-model", flags.baseline_model,
                 "Compare with this file, interleaved: needs no quiet machine")
      ->group(group);
  app.add_option("--max-regression", flags.max_regression, "Exit 1 for more than this, beyond doubt (default: 3%)")
      ->group(group);
  app.add_flag("--require-power", flags.require_power,
               "Exit 1 as well where the measurement is too noisy to tell (inconclusive)")
      ->group(group);
  app.add_flag("--ignore-mismatch", flags.ignore_mismatch, "Compare with a baseline from another machine or setting")
      ->group(group);
}

void add_report_options(CLI::App& app, BenchFlags& flags) {
  const char* group = "Reports";
  app.add_flag("--csv", flags.csv, "A line for each model")->group(group);
  app.add_flag("--markdown", flags.markdown, "For a pull request's comment")->group(group);
  app.add_option("--html", flags.html, "Write a page with charts, which needs nothing else, to this file")
      ->group(group);
  app.add_flag("--profile", flags.profile, "Time by layer as well, in a process of its own")->group(group);
  app.add_option("--samples", flags.samples,
                 "Judge two files of times measured elsewhere: one a line, speed_benchmark_torch's output with "
                 "--report_pep, or JSON of hyperfine or google-benchmark")
      ->expected(2)
      ->group(group);
}

}  // namespace

double parse_share(const std::string& flag, const std::string& text) {
  const bool percent = !text.empty() && text.back() == '%';
  const std::string number = percent ? text.substr(0, text.size() - 1) : text;
  double value = 0;
  if (!CLI::detail::lexical_cast(number, value) || !(value >= 0) || (!percent && value >= 1))
    throw Error(ErrorKind::usage, fmt::format("{} {} is no share", flag, text), "write it like 3% or 0.03");
  return percent ? value / 100 : value;
}

void BenchFlags::add_to(CLI::App& app) {
  app.add_option("MODEL", models, "TorchScript files; several are compared with the first");
  add_compatible_flags(app, *this);
  add_input_options(app, inputs);
  matrix.add_to(app);
  add_sampling_options(app, *this);
  add_regression_options(app, *this);
  add_report_options(app, *this);
  add_common_options(app, common, /*runs_a_model=*/false);
  add_loading_options(app, common);
}

void BenchFlags::finish() {
  // A flag takes its value only after '='; with `--vulkan true`, the word is parsed as a model.
  std::erase_if(models, [](const std::string& word) { return word == "true" && !std::filesystem::exists(word); });
  for (const std::string& word : models)
    if (word == "false" && !std::filesystem::exists(word))
      throw Error(ErrorKind::usage, "'false' is no model", "write --flag=false, with an equals sign");
  if (!model.empty()) models.insert(models.begin(), model);
  if (vulkan) throw Error(ErrorKind::unsupported, "--vulkan: FuseKit measures on the CPU", "leave it out");
  if (!samples.empty()) {
    check_samples_alone();
    return;
  }
  if (models.empty())
    throw Error(ErrorKind::usage, "no model is given", "fusekit bench MODEL --input_dims \"1,3,224,224\"");
  check_numbers();
  check_combinations();
}

void BenchFlags::check_samples_alone() const {
  if (!models.empty() || !commands.empty() || !save.empty() || !baseline.empty() || !baseline_model.empty() ||
      !html.empty() || profile)
    throw Error(ErrorKind::usage, "--samples judges two files of times and measures nothing",
                "leave out models, --save, --html, --profile, --against-command and the gate's flags");
}

void BenchFlags::check_combinations() const {
  if (!once() && (report_pep || print_output))
    throw Error(ErrorKind::usage,
                "--report_pep and --print_output are for one model, timed as speed_benchmark_torch does",
                "leave them out, or give one model");
  if (!baseline.empty() && !baseline_model.empty())
    throw Error(ErrorKind::usage, "--baseline and --baseline-model exclude each other", "give one of them");
  if ((!max_regression.empty() || require_power) && baseline.empty() && baseline_model.empty())
    throw Error(
        ErrorKind::usage,
        fmt::format("{} needs something to compare with", require_power ? "--require-power" : "--max-regression"),
        "give --baseline or --baseline-model");
  if (int{common.json} + int{csv} + int{markdown} > 1)
    throw Error(ErrorKind::usage, "--json, --csv and --markdown exclude each other", "give one of them");
}

void BenchFlags::check_numbers() const {
  const auto refuse = [](const std::string& what, const std::string& hint = {}) {
    throw Error(ErrorKind::usage, what, hint);
  };
  if (iterations && *iterations < 1)
    refuse(fmt::format("--iter {} leaves nothing to time", *iterations), "give --iter 1 or more");
  if (warmup && *warmup < 0) refuse(fmt::format("--warmup {} is negative", *warmup), "give --warmup 0 or more");
  if (processes && *processes < 1)
    refuse(fmt::format("--processes {} measures nothing", *processes), "give --processes 3 or more");
  if (max_seconds && !(*max_seconds > 0 && std::isfinite(*max_seconds)))
    refuse(fmt::format("--max-time {} is no time", *max_seconds), "give seconds, e.g. --max-time 20");
  if (!until_ci.empty() && parse_share("--until-ci", until_ci) <= 0)
    refuse(fmt::format("--until-ci {} is never reached", until_ci), "write it like 1% or 0.01");
  static_cast<void>(allowed_regression());  // throws if it is wrong
  for (const int count : matrix.threads)
    if (count > kMaxThreads)
      refuse(fmt::format("--threads {} is more than any machine has", count), "0 leaves it to LibTorch");
  for (const std::string& command : commands)
    if (command.find_first_not_of(" \t\n") == std::string::npos)
      refuse("--against-command is empty",
             "give a command that prints the microseconds of each of its runs, a line each");
  if (!commands.empty() && processes.value_or(quick ? 1 : 3) < 3)
    refuse("a program can only be compared over at least three processes", "leave out --quick, or give --processes 3");
}

bool BenchFlags::once() const {
  return models.size() == 1 && !matrix.several() && inputs.dims.find('|') == std::string::npos && !processes &&
         !max_seconds && until_ci.empty() && !quick && !csv && !markdown && html.empty() && !profile &&
         commands.empty() && save.empty() && baseline.empty() && baseline_model.empty();
}

std::vector<bench::Variant> BenchFlags::variants() const {
  std::vector<std::string> paths = models;
  if (!baseline_model.empty()) paths.insert(paths.begin(), baseline_model);
  bench::Arguments arguments;
  arguments.none = no_inputs;
  arguments.bundled = use_bundled_input;
  arguments.pytext_len = pytext_len;
  std::vector<bench::Variant> variants = matrix_variants(paths, inputs, arguments, matrix);
  for (bench::Variant& variant : variants) {
    variant.runtime.libraries = common.runtime.libraries;
    variant.runtime.run_limit = common.runtime.run_limit;
    variant.runtime.max_memory = common.runtime.max_memory;
  }
  for (bench::Variant& program : program_variants(commands)) variants.push_back(std::move(program));
  return variants;
}

bench::Options BenchFlags::options() const {
  bench::Options options;
  options.processes = quick && !processes ? 1 : processes;
  if (!until_ci.empty()) options.until_ci = parse_share("--until-ci", until_ci);
  options.max_seconds = max_seconds.value_or(quick              ? kQuickSeconds
                                             : options.until_ci ? kUntilSeconds
                                                                : kDefaultSeconds);
  options.profile = profile;
  options.warmup = warmup;
  options.iterations = iterations;
  options.seed = inputs.seed;
  return options;
}

double BenchFlags::allowed_regression() const {
  return parse_share("--max-regression", max_regression.empty() ? kDefaultRegression : max_regression);
}

}  // namespace fusekit::cli
