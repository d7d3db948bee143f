#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/console.h"
#include "fusekit/engine.h"
#include "fusekit/inputs.h"
#include "fusekit/model.h"
#include "fusekit/runtime.h"
#include "fusekit/write.h"

namespace CLI {
class App;
}

namespace fusekit::cli {

/// Both spellings of a flag: both("input_dims") -> "--input_dims,--input-dims".
std::string both(const std::string& name);

/// --json, -q/--quiet, -v/--verbose and, where the command runs a model, --threads, --engine and --library.
/// Environment variable: 1 where bench's workers are to do without the sandbox.
inline constexpr const char* kTrust = "FUSEKIT_TRUST";

struct CommonOptions {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  RuntimeOptions runtime;
  bool trust = false;

  /// Gives up what the command does not need from here on, unless its files are trusted. Before anything of theirs is
  /// read. `outputs`: files and folders that it has yet to write; empty ones are passed over.
  void enter_sandbox(const std::vector<std::string>& outputs, bool starts_programs = false) const;

  [[nodiscard]] int verbosity() const { return quiet ? -1 : verbose ? 1 : 0; }
};

/// --library, --max-memory, --run-limit and --trust, for a command that has no use for --threads and --engine or has its
/// own, but loads a file.
void add_loading_options(CLI::App& app, CommonOptions& options);

void add_common_options(CLI::App& app, CommonOptions& options, bool runs_a_model);

/// Warns of what is wrong with an engine and says why it was chosen.
void tell(const EngineChoice& choice, const Console& console);

/// --input_dims, --input_type, --input_memory_format, --inputs, --seed, --int-high, and of pictures --resize, --crop, --mean
/// and --std; call `finish` after parsing.
struct InputFlags {
  std::string dims;
  std::string types;
  std::string memory_formats;
  std::string file;
  std::uint64_t seed = 0;
  std::int64_t int_high = 0;
  PictureOptions pictures;

  /// Error{usage} for text that is no list of shapes or types.
  [[nodiscard]] InputOptions finish() const;
  /// The same for each of several, which '|' separates.
  [[nodiscard]] std::vector<InputOptions> finish_all() const;
};

void add_input_options(CLI::App& app, InputFlags& flags);

/// IN, -o/--output, --for, --lite, --bundle, --list-ops, --eval, --force and --in-place, of the commands that make one file of another; of those that take
/// several files, --out-dir.
struct WriteFlags {
  /// A file to read, and what is made of it.
  struct Job {
    std::string input;
    std::string output;
  };

  std::vector<std::string> inputs;
  std::string output;
  std::string folder;
  std::string target = "portable";
  bool list_operators = false;
  ReadOptions read;
  WriteOptions options;

  /// To be called after parsing: a job for each input. Without -o and --out-dir, the output is beside the input, with
  /// `suffix` ("_fused") at the end of its name. Error{usage} where IN is missing, -o is given for several, or two would
  /// become the same file where the command `writes`; Error{unsupported} for another target. `verb` ("fuse") is for the hints.
  [[nodiscard]] std::vector<Job> finish(const std::string& verb, const std::string& suffix, bool writes = true);
  /// Is the file for phones?
  [[nodiscard]] bool is_for_phones() const { return target == "mobile"; }
  /// Makes the --out-dir, if it is not there. Error{file}.
  void make_folder() const;

 private:
  [[nodiscard]] std::string output_of(const std::string& input, const std::string& suffix) const;
};

/// `suffix` as for WriteFlags::finish.
void add_write_options(CLI::App& app, WriteFlags& flags, const std::string& suffix, bool several);

/// --modules, any number of times.
void add_modules_option(CLI::App& app, std::vector<std::string>& lists, const std::string& description);

/// {"a,b", "c"} -> {{"a","b"}, {"c"}}
std::vector<std::vector<std::string>> split_lists(const std::vector<std::string>& lists);

/// A list for PyTorch's SELECTED_OP_LIST: "- aten::add.Tensor", a line each.
std::string operators_yaml(const std::vector<std::string>& operators);

/// "a;b;c" -> {"a","b","c"}, blanks around each removed.
std::vector<std::string> split(const std::string& text, char separator);

}  // namespace fusekit::cli
