#pragma once

#include <cstdio>
#include <string>

namespace fusekit::cli {

/// Where a command writes: results to stdout, progress and diagnostics to stderr. Options that the library speaks of are
/// called by their flags (in_flags) in all of it.
class Console {
 public:
  explicit Console(int verbosity = 0);

  /// A result, to stdout, with a line end added.
  void print(const std::string& text) const;
  /// A diagnostic, to stderr; not with --quiet.
  void note(const std::string& text) const;
  /// Detail, to stderr; only with --verbose.
  void detail(const std::string& text) const;
  void warn(const std::string& text) const;
  /// "error: MESSAGE" and, where there is one, "hint: HINT".
  void error(const std::string& message, const std::string& hint) const;

  /// A progress line that overwrites itself; only on a terminal, never with --quiet. fraction in [0,1].
  void progress(double fraction, const std::string& text) const;
  void end_progress() const;

  void set_verbosity(int verbosity) { verbosity_ = verbosity; }

 private:
  [[nodiscard]] std::string styled(const char* code, const std::string& text) const;

  int verbosity_;  ///< -1 quiet, 0 normal, 1 verbose
  bool terminal_;  ///< stderr is a terminal
  bool color_;     ///< terminal_ and NO_COLOR is not set
};

}  // namespace fusekit::cli
