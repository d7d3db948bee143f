#include "cli/bench_matrix.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>

#include "fusekit/error.h"

namespace fusekit::cli {
namespace {

std::size_t times_in(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<std::size_t>(std::count(names.begin(), names.end(), name));
}

/// Appends a number to equal labels.
void make_distinct(std::vector<std::string>& labels) {
  const std::vector<std::string> all = labels;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (times_in(all, all[i]) == 1) continue;
    const auto before = std::count(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(i), all[i]);
    labels[i] += fmt::format(" ({})", before + 1);
  }
}

/// The first characters of a command, on one line.
std::string abbreviated(const std::string& command) {
  constexpr std::size_t longest = 40;
  std::string text;
  for (const char c : command) {
    const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!blank) text += c;
    if (blank && !text.empty() && text.back() != ' ') text += ' ';
  }
  if (text.size() <= longest) return text;
  std::size_t end = longest - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not within a UTF-8 character
  return text.substr(0, end) + "...";
}

std::string shape_text(const InputOptions& inputs) {
  std::vector<std::string> shapes;
  for (const auto& shape : inputs.dims) shapes.push_back(fmt::format("{}", fmt::join(shape, "x")));
  return fmt::format("{}", fmt::join(shapes, " "));
}

std::string counted(int count, const char* what) { return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s"); }

/// "A=1 B=2" -> {"A=1", "B=2"}.
std::vector<std::string> environment_of(const std::string& text) {
  std::vector<std::string> entries;
  for (std::string& entry : split(text, ' ')) {
    if (entry.empty()) continue;
    if (entry.find('=') == std::string::npos || entry.front() == '=')
      throw Error(ErrorKind::usage, fmt::format("--env '{}' sets nothing", entry),
                  "write it like --env OMP_WAIT_POLICY=passive; several of one environment with blanks between them");
    entries.push_back(std::move(entry));
  }
  return entries;
}

/// The settings of a variant, without its model.
struct Setting {
  bench::Variant variant;
  std::vector<std::string> names;  ///< of those settings that vary
};

using Settings = std::vector<Setting>;

/// Combines every setting with every value: `apply` sets the value and returns its name. The name is used where there are
/// several values.
template <typename Values, typename Apply>
Settings combine(const Settings& settings, const Values& values, const Apply& apply) {
  Settings combined;
  for (const Setting& setting : settings)
    for (const auto& value : values) {
      Setting one = setting;
      std::string name = apply(one.variant, value);
      if (values.size() > 1) one.names.push_back(std::move(name));
      combined.push_back(std::move(one));
    }
  return combined;
}

Settings settings_of(const InputFlags& inputs, const bench::Arguments& arguments, const MatrixFlags& matrix) {
  const std::vector<InputOptions> all_inputs = inputs.finish_all();
  Settings settings(1);
  settings.front().variant.arguments = arguments;
  settings = combine(settings, all_inputs, [&](bench::Variant& variant, const InputOptions& input) {
    variant.arguments.inputs = input;
    if (all_inputs.size() > 1 && !input.dims.front().empty())
      variant.samples = std::max<std::int64_t>(1, input.dims.front().front());
    return shape_text(input);
  });
  settings = combine(settings, matrix.dtypes,
                     [](bench::Variant& variant, const std::string& dtype) { return variant.dtype = dtype; });
  settings = combine(settings, matrix.engines, [](bench::Variant& variant, const std::string& engine) {
    return variant.runtime.engine = engine;
  });
  settings = combine(settings, matrix.graph_fusers, [](bench::Variant& variant, const std::string& state) {
    variant.graph_fuser = state == "on";
    return "graph fuser " + state;
  });
  settings = combine(settings, matrix.threads, [](bench::Variant& variant, int threads) {
    variant.runtime.threads = threads;
    return counted(threads, "thread");
  });
  settings = combine(settings, matrix.streams, [](bench::Variant& variant, int streams) {
    variant.streams = streams;
    return counted(streams, "stream");
  });
  return combine(settings, matrix.environments, [](bench::Variant& variant, const std::string& environment) {
    variant.environment = environment_of(environment);
    return environment.empty() ? "as it is" : environment;
  });
}

}  // namespace

void MatrixFlags::add_to(CLI::App& app) {
  const char* group = "Settings (several with commas: every combination is measured)";
  app.add_option("--threads", threads, "Intra-op threads (default: LibTorch's)")->delimiter(',')->group(group);
  app.add_option("--engine", engines, "Quantized engine: auto, onednn, x86, fbgemm, qnnpack")
      ->delimiter(',')
      ->group(group);
  app.add_option("--dtype", dtypes, "Converts module and inputs: float, double, half, bfloat16")
      ->delimiter(',')
      ->check(CLI::IsMember({"float", "double", "half", "bfloat16"}))
      ->group(group);
  app.add_option(
         "--graph-fuser", graph_fusers,
         "on: frozen, and compiled by LibTorch's oneDNN Graph fuser, a switch of the whole process; off,on: both")
      ->delimiter(',')
      ->check(CLI::IsMember({"off", "on"}))
      ->group(group);
  app.add_option("--streams", streams, "Copies of the module that run side by side, each in a thread of its own")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->group(group);
  app.add_option("--env", environments,
                 "NAME=VALUE for the worker processes, once for each environment to compare; \"\" is one without")
      ->allow_extra_args(false)
      ->group(group);
}

bool MatrixFlags::several() const {
  if (environments.size() > 1 || !environments.front().empty()) return true;
  if (graph_fusers.size() > 1 || graph_fusers.front() == "on") return true;
  return threads.size() > 1 || engines.size() > 1 || dtypes.size() > 1 || streams.size() > 1 || streams.front() > 1;
}

std::vector<bench::Variant> matrix_variants(const std::vector<std::string>& models, const InputFlags& inputs,
                                            const bench::Arguments& arguments, const MatrixFlags& matrix) {
  const std::vector<std::string> labels = bench::labels_of({models.begin(), models.end()});
  const Settings settings = settings_of(inputs, arguments, matrix);
  std::vector<bench::Variant> variants;
  for (std::size_t m = 0; m < models.size(); ++m)
    for (std::size_t s = 0; s < settings.size(); ++s) {
      bench::Variant variant = settings[s].variant;
      variant.model = models[m];
      variant.label = labels[m];
      if (!settings[s].names.empty()) variant.label += fmt::format(" [{}]", fmt::join(settings[s].names, ", "));
      variant.against = models.size() > 1 ? s : 0;
      variants.push_back(std::move(variant));
    }
  return variants;
}

std::vector<bench::Variant> program_variants(const std::vector<std::string>& commands) {
  std::vector<std::string> labels;
  for (const std::string& command : commands) labels.push_back(abbreviated(command));
  make_distinct(labels);
  std::vector<bench::Variant> programs(commands.size());
  for (std::size_t i = 0; i < commands.size(); ++i) {
    programs[i].label = labels[i];
    programs[i].command = commands[i];
  }
  return programs;
}

}  // namespace fusekit::cli
