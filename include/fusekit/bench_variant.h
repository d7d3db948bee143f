#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "fusekit/inputs.h"
#include "fusekit/runtime.h"

namespace fusekit::bench {

/// The arguments of forward.
struct Arguments {
  InputOptions inputs;  ///< explicit, as fusekit::resolve_inputs returns them; ignored with `none` or `bundled`
  bool none = false;    ///< no arguments at all
  int bundled = -1;     ///< >= 0: the index into what the file's get_all_bundled_inputs returns
  int pytext_len = 0;   ///< > 0: adds an argument, an int64 tensor of shape [1] with this value
};

/// One thing to time: a file in one setting.
struct Variant {
  std::string label;  ///< its name in reports
  /// Not empty: an external program instead of a file. It is run in a shell and prints the time of each of its runs. Of
  /// the members below, only `samples` and `against` are used. External programs come after all files.
  std::string command = {};
  std::filesystem::path model;
  Arguments arguments;
  RuntimeOptions runtime;
  /// "NAME=VALUE": added to the environment of its worker process; "NAME=" sets an empty value.
  std::vector<std::string> environment = {};
  /// "float", "double", "half", "bfloat16": the module and its float inputs are converted; "": they are not.
  std::string dtype = {};
  /// Frozen, and compiled by LibTorch's oneDNN Graph fuser (ReadyOptions::graph_fuser), in a worker process of its own.
  bool graph_fuser = false;
  int streams = 1;           ///< > 1: this many copies of the module run in parallel, each in its own thread
  std::int64_t samples = 1;  ///< samples (batch size) of one run; ratios compare the time per sample
  std::size_t against = 0;   ///< index of the variant that it is compared with; its own index: no comparison
  std::string inputs = {};   ///< what it is run on, in words; `prepare` fills it in
  std::vector<std::string> in_training = {};  ///< as Model::modules_in_training; `prepare` fills it in
};

/// A variant for each file, compared with the first one, and labelled with the files' names, as far as these differ.
std::vector<Variant> variants_of(const std::vector<std::filesystem::path>& models);

/// The files' names; their whole paths where names are equal; a number where even these are.
std::vector<std::string> labels_of(const std::vector<std::filesystem::path>& models);

/// What a user should read before a measurement.
struct Remark {
  enum class Kind { warning, engine, inputs };
  Kind kind = Kind::warning;
  std::string text;
};

/// Settles what the variants leave open: the engine (fusekit::choose_engine; files that run in one process share it), and
/// inputs that are not given (fusekit::resolve_inputs, once for each model and shape). Libraries that the files need have
/// to be loaded. Error as resolve_inputs; Interrupted where `interrupted` says so.
std::vector<Remark> prepare(std::vector<Variant>& variants, const std::function<bool()>& interrupted = {});

}  // namespace fusekit::bench
