#include "cli/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>

#include "fusekit/error.h"
#include "fusekit/lower.h"
#include "fusekit/sandbox.h"

namespace fusekit::cli {

namespace fs = std::filesystem;

std::string both(const std::string& name) {
  std::string dashed = name;
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  return dashed == name ? "--" + name : "--" + name + ",--" + dashed;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  for (std::string& part : CLI::detail::split(text, separator)) parts.push_back(CLI::detail::trim(part));
  return parts;
}

void add_loading_options(CLI::App& app, CommonOptions& options) {
  RuntimeOptions& runtime = options.runtime;
  app.add_option("--library", runtime.libraries,
                 "Shared library with operators that the file uses, e.g. torchvision's _C.so (repeatable)")
      ->expected(1)
      ->take_all();
  const char* group = "Limits";
  app.add_option(
         "--max-memory", runtime.max_memory,
         "Largest memory while a file is loaded or run, e.g. 8GB (default: any, and 4 GB for a guess at inputs)")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->type_name("SIZE")
      ->group(group);
  app.add_option("--run-limit", runtime.run_limit,
                 "Longest time of a run or a load (default: 600, and 15 for a guess at inputs)")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber)
      ->group(group);
  app.add_flag("--trust", options.trust,
               "The files are trusted: leave out the sandbox (nothing else is written, no network, no programs)")
      ->group(group);
}

void CommonOptions::enter_sandbox(const std::vector<std::string>& outputs, bool starts_programs) const {
  if (trust) {
    setenv(kTrust, "1", /*overwrite=*/1);  // for the workers
    return;
  }
  SandboxOptions sandbox;
  sandbox.starts_programs = starts_programs;
  for (const std::string& output : outputs)
    if (!output.empty()) sandbox.writable.emplace_back(output);
  fusekit::enter_sandbox(sandbox);
}

void add_common_options(CLI::App& app, CommonOptions& options, bool runs_a_model) {
  app.add_flag("--json", options.json, "Print the same facts as JSON");
  app.add_flag("-q,--quiet", options.quiet, "Only results, warnings and errors");
  app.add_flag("-v,--verbose", options.verbose, "Say more on stderr");
  if (!runs_a_model) return;
  add_loading_options(app, options);
  app.add_option("--threads", options.runtime.threads, "Intra-op threads (default: LibTorch's)");
  app.add_option("--engine", options.runtime.engine, "Quantized engine: auto, onednn, x86, fbgemm, qnnpack")
      ->default_str("auto");
}

void tell(const EngineChoice& choice, const Console& console) {
  for (const std::string& warning : choice.warnings) console.warn(warning);
  if (!choice.reason.empty()) console.note(fmt::format("engine {}: {}", choice.engine, choice.reason));
}

namespace {

void add_picture_options(CLI::App& app, PictureOptions& pictures) {
  const char* group = "Pictures (the defaults are torchvision's for ImageNet)";
  app.add_option("--resize", pictures.resize, "Pixels of the shorter side, 0: as it is")
      ->capture_default_str()
      ->group(group);
  app.add_option("--crop", pictures.crop, "Side of the centre crop, 0: none")->capture_default_str()->group(group);
  app.add_option("--mean", pictures.mean, "Of each channel")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str()
      ->group(group);
  app.add_option("--std", pictures.std, "Of each channel")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str()
      ->group(group);
}

}  // namespace

void add_input_options(CLI::App& app, InputFlags& flags) {
  const char* group = "Inputs";
  app.add_option(both("input_dims"), flags.dims,
                 "Shapes, e.g. \"1,3,224,224;1,10\"; several with a bar between them for bench and fuse")
      ->group(group);
  app.add_option(both("input_type"), flags.types, "Types, e.g. \"float;int64\"; \"int64<30522\" is drawn below that")
      ->group(group);
  app.add_option(both("input_memory_format"), flags.memory_formats, "contiguous_format or channels_last")->group(group);
  app.add_option(
         "--inputs", flags.file,
         "Real inputs: a .pt that torch.save wrote, .npy, .npz, .png or .jpg, or a folder of these. More rows than "
         "the network takes for one batch are as many samples; --input_dims beside it is the shape of one")
      ->type_name("PATH")
      ->group(group);
  app.add_option("--seed", flags.seed, "Seed of random inputs")->group(group)->check(CLI::NonNegativeNumber);
  app.add_option(both("int_high"), flags.int_high,
                 "Random integers are drawn below this (default: an embedding's rows, beside it 2)")
      ->group(group);
  add_picture_options(app, flags.pictures);
}

InputOptions InputFlags::finish() const {
  InputOptions options;
  if (!dims.empty()) options.dims = parse_dims(dims);
  options.types = split(types, ';');
  options.memory_formats = split(memory_formats, ';');
  options.file = file;
  options.seed = seed;
  options.int_high = int_high;
  options.pictures = pictures;
  return options;
}

std::vector<InputOptions> InputFlags::finish_all() const {
  const std::vector<std::string> all_dims = split(dims, '|');
  const std::vector<std::string> all_types = split(types, '|');
  if (all_types.size() > 1 && all_types.size() != all_dims.size())
    throw Error(
        ErrorKind::usage,
        fmt::format("--input_type has {} parts between bars, --input_dims {}", all_types.size(), all_dims.size()),
        "give one --input_type for all of them, or one for each");
  std::vector<InputOptions> all;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, all_dims.size()); ++i) {
    InputFlags one = *this;
    one.dims = all_dims.empty() ? "" : all_dims[i];
    one.types = all_types.empty() ? "" : all_types[all_types.size() == 1 ? 0 : i];
    if (!all_dims.empty() && one.dims.empty())
      throw Error(ErrorKind::usage, "--input_dims has nothing between two bars", "write it like \"1,3,8,8 | 4,3,8,8\"");
    all.push_back(one.finish());
  }
  return all;
}

void add_write_options(CLI::App& app, WriteFlags& flags, const std::string& suffix, bool several) {
  CLI::Option* in = app.add_option("IN", flags.inputs, several ? "TorchScript files" : "TorchScript file");
  if (!several) in->expected(1);
  app.add_option("-o,--output", flags.output,
                 fmt::format("File to write (default: beside IN, \"{}\" at the end of its name)", suffix));
  if (several)
    app.add_option("--out-dir", flags.folder,
                   "Folder to write to, by the names of the inputs; made where it is missing")
        ->type_name("DIR");
  app.add_option("--for", flags.target, "Target: portable, cpu (oneDNN's operators, for the shapes given) or mobile")
      ->capture_default_str();
  app.add_option("--memory-format", flags.options.memory_format,
                 "How weights of convolutions are stored: channels_last where that pays, or preserve")
      ->capture_default_str();
  app.add_option("--int8-dialect", flags.options.int8_dialect,
                 "With --for cpu, what computes int8 layers: quantized, or onednn (plain uint8 tensors)")
      ->capture_default_str();
  app.add_option("--layer-times", flags.options.layer_times,
                 "With --for cpu, choose each layer's operator by times measured here; they are kept in this file")
      ->type_name("FILE");
  const char* group = "With --for mobile";
  app.add_flag("--lite", flags.options.lite, "Also with bytecode for the mobile interpreter (.ptl)")->group(group);
  app.add_flag("--bundle", flags.options.bundle, "Put an input into the file, for --use_bundled_input 0")->group(group);
  app.add_flag("--list-ops", flags.list_operators,
               "Print the operators that a custom mobile build must include, as YAML")
      ->group(group);
  app.add_flag("--eval", flags.read.eval, "Put the network into eval() first: a file for inference");
  app.add_flag("--force", flags.options.force, "Replace an existing output");
  app.add_flag("--in-place", flags.options.in_place, "The output may be the input");
}

namespace {

std::string real_path(const std::string& path) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(path, error);
  return (error ? fs::path(path).lexically_normal() : real).string();
}

/// No job may write what another one reads or writes.
void check_distinct(const std::vector<WriteFlags::Job>& jobs) {
  std::map<std::string, std::string> inputs;
  for (const WriteFlags::Job& job : jobs) inputs.emplace(real_path(job.input), job.input);
  std::map<std::string, std::string> outputs;
  for (const WriteFlags::Job& job : jobs) {
    const std::string output = real_path(job.output);
    if (const auto [other, is_new] = outputs.emplace(output, job.input); !is_new)
      throw Error(ErrorKind::usage, fmt::format("{} and {} would both become {}", other->second, job.input, job.output),
                  "give them in two calls, with another --out-dir each");
    if (const auto read = inputs.find(output); read != inputs.end() && output != real_path(job.input))
      throw Error(ErrorKind::usage,
                  fmt::format("{} would become {}, which is one of the inputs, too", job.input, job.output),
                  "leave it out, or give another --out-dir");
  }
}

}  // namespace

std::string WriteFlags::output_of(const std::string& input, const std::string& suffix) const {
  const fs::path path = input;
  const std::string extension = options.lite ? ".ptl" : path.extension().string();
  if (!output.empty()) return output;
  if (!folder.empty()) return (fs::path(folder) / (path.stem().string() + extension)).string();
  if (options.in_place) return input;
  return (path.parent_path() / (path.stem().string() + suffix + extension)).string();
}

std::vector<WriteFlags::Job> WriteFlags::finish(const std::string& verb, const std::string& suffix, bool writes) {
  if (inputs.empty()) throw Error(ErrorKind::usage, "IN is missing", "give the TorchScript file to " + verb);
  if (!output.empty() && inputs.size() > 1)
    throw Error(ErrorKind::usage, fmt::format("-o is one file, and there are {} inputs", inputs.size()),
                "give a folder with --out-dir DIR, or neither: then each output is beside its input");
  if (!output.empty() && !folder.empty())
    throw Error(ErrorKind::usage, "-o and --out-dir exclude each other", "give the file or the folder");
  std::vector<std::string> known;
  for (const TargetInfo& info : targets()) known.push_back(info.name);
  if (std::find(known.begin(), known.end(), target) == known.end())
    throw Error(ErrorKind::unsupported, fmt::format("--for {}: there is no such target", target),
                fmt::format("the targets of this version: {}", fmt::join(known, ", ")));
  options.target = target;
  if ((options.lite || options.bundle || list_operators) && !is_for_phones())
    throw Error(ErrorKind::usage,
                fmt::format("{} needs --for mobile", options.lite     ? "--lite"
                                                     : options.bundle ? "--bundle"
                                                                      : "--list-ops"),
                list_operators ? "add --for mobile; fusekit inspect has --list-ops, too" : "add --for mobile");
  const bool has_dialect = options.int8_dialect != WriteOptions{}.int8_dialect;
  if ((has_dialect || !options.layer_times.empty()) && target != "cpu")
    throw Error(ErrorKind::usage, fmt::format("{} needs --for cpu", has_dialect ? "--int8-dialect" : "--layer-times"),
                "add --for cpu");
  std::vector<Job> jobs;
  for (const std::string& input : inputs) jobs.push_back({input, output_of(input, suffix)});
  if (writes) check_distinct(jobs);
  return jobs;
}

void WriteFlags::make_folder() const {
  if (folder.empty()) return;
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder))
    throw Error(ErrorKind::file,
                fmt::format("{}: {}", folder, error && !fs::exists(folder) ? error.message() : "is no folder"),
                "give a folder that you may write to");
}

void add_modules_option(CLI::App& app, std::vector<std::string>& lists, const std::string& description) {
  app.add_option("--modules", lists, description)->take_all()->expected(1);
}

std::string operators_yaml(const std::vector<std::string>& operators) {
  return fmt::format("- {}", fmt::join(operators, "\n- "));
}

std::vector<std::vector<std::string>> split_lists(const std::vector<std::string>& lists) {
  std::vector<std::vector<std::string>> split_up;
  for (const std::string& list : lists) split_up.push_back(split(list, ','));
  return split_up;
}

}  // namespace fusekit::cli
