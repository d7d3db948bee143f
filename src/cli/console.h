#pragma once

#include <cstddef>
#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "fusekit/error.h"

namespace fusekit::cli {

/// As JSON has it: "usage", "file", "model", "input" or "unsupported".
const char* kind_name(ErrorKind kind);

/// Where a command writes: results to stdout, progress and diagnostics to stderr. Options that the library speaks of are
/// called by their flags (in_flags) in all of it, and control characters, which names in a file may have, are shown as
/// "\x1b": no file commands a terminal. Never throws: diagnostics that can't be written are gone, and results
/// that can't be written are remembered (`exit_code`).
class Console {
 public:
  explicit Console(int verbosity = 0);

  /// A result, to stdout, with a line end added. Like all that people read, it is wrapped between words to the width of a
  /// terminal.
  void print(const std::string& text) const;
  /// A result that a program reads: as it is.
  void print_data(const std::string& text) const;
  /// A result as JSON. Names of files that are not UTF-8 have their bytes replaced.
  void print_json(const nlohmann::json& document) const;
  void print_json(const nlohmann::ordered_json& document) const;
  /// A diagnostic, to stderr; not with --quiet.
  void note(const std::string& text) const;
  /// Detail, to stderr; only with --verbose.
  void detail(const std::string& text) const;
  void warn(const std::string& text) const;
  /// "error: MESSAGE" and, where there is one, "hint: HINT".
  void error(const std::string& message, const std::string& hint) const;
  /// The error that ends the program: as `error`, and with --json {"error": {"kind", "message", "hint"}} on stdout, too.
  void fail(const std::string& kind, const std::string& message, const std::string& hint) const;

  /// A progress line that overwrites itself, with the time that is left where that can be told; only on a terminal, never
  /// with --quiet. fraction in [0,1].
  void progress(double fraction, const std::string& text) const;
  void end_progress() const;

  /// Columns of the terminal that results go to; 0: they go elsewhere, and may be as wide as they are.
  [[nodiscard]] static std::size_t columns();

  void set_verbosity(int verbosity) { verbosity_ = verbosity; }
  /// With --json: `fail` writes JSON, too. For the whole program.
  static void write_errors_as_json();
  /// `code`; where results could not be written, an error that says so and the exit code for it.
  static int exit_code(int code);

 private:
  /// A diagnostic with its title in colour.
  void titled(const char* code, const std::string& title, const std::string& text) const;
  [[nodiscard]] std::string styled(const char* code, const std::string& text) const;

  int verbosity_;  ///< -1 quiet, 0 normal, 1 verbose
  bool terminal_;  ///< stderr is a terminal, and not a dumb one
  bool color_;     ///< terminal_, and NO_COLOR is not set
};

/// ", 12 s left" for work of which `fraction` is done after `seconds`; empty where it is too early to tell.
std::string time_left(double fraction, double seconds);

}  // namespace fusekit::cli
