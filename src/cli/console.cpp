#include "cli/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command.h"
#include "cli/flags.h"
#include "cli/layout.h"
#include "fusekit/columns.h"

namespace fusekit::cli {
namespace {

using Clock = std::chrono::steady_clock;

// stdout and --json are the process's, and so is what is known of them.
int lost_results = 0;  ///< errno of the first result that could not be written
bool json_errors = false;
std::optional<Clock::time_point> progress_start;

void write_results(const std::string& text) {
  const bool done = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if ((!done || std::fflush(stdout) != 0) && lost_results == 0) lost_results = errno;
}

/// As a person reads it on stderr.
std::string diagnostic(const std::string& text) {
  return wrapped(without_control_characters(in_flags(text)), terminal_columns(STDERR_FILENO));
}

void write_diagnostics(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

/// One that understands colours and going back to the start of a line.
bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && (kind == nullptr || std::strcmp(kind, "dumb") != 0);
}

}  // namespace

const char* kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::file:
      return "file";
    case ErrorKind::model:
      return "model";
    case ErrorKind::input:
      return "input";
    case ErrorKind::unsupported:
      return "unsupported";
  }
  return "";
}

Console::Console(int verbosity)
    : verbosity_(verbosity), terminal_(is_terminal()), color_(terminal_ && std::getenv("NO_COLOR") == nullptr) {}

void Console::print(const std::string& text) const {
  write_results(wrapped(without_control_characters(in_flags(text)), columns()) + "\n");
}

void Console::print_data(const std::string& text) const {
  write_results(without_control_characters(in_flags(text)) + "\n");
}

std::size_t Console::columns() { return terminal_columns(STDOUT_FILENO); }

void Console::print_json(const nlohmann::json& document) const {
  write_results(in_flags(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)) + "\n");
}

void Console::print_json(const nlohmann::ordered_json& document) const {
  write_results(in_flags(document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) + "\n");
}

void Console::note(const std::string& text) const {
  if (verbosity_ >= 0) write_diagnostics(diagnostic(text) + "\n");
}

void Console::detail(const std::string& text) const {
  if (verbosity_ >= 1) write_diagnostics(diagnostic(text) + "\n");
}

void Console::warn(const std::string& text) const { titled("33", "warning:", text); }

void Console::error(const std::string& message, const std::string& hint) const {
  titled("31", "error:", message);
  if (!hint.empty()) titled("36", "hint:", hint);
}

void Console::fail(const std::string& kind, const std::string& message, const std::string& hint) const {
  end_progress();
  error(message, hint);
  if (!json_errors) return;
  nlohmann::ordered_json document;
  document["error"] = {{"kind", kind}, {"message", in_flags(message)}, {"hint", in_flags(hint)}};
  print_json(document);
}

void Console::progress(double fraction, const std::string& text) const {
  if (!terminal_ || verbosity_ < 0) return;
  constexpr int width = 24;
  if (!progress_start) progress_start = Clock::now();
  const double seconds = std::chrono::duration<double>(Clock::now() - *progress_start).count();
  const int filled = static_cast<int>(fraction * width + 0.5);
  const std::string left = time_left(fraction, seconds);
  const std::size_t taken = width + 4 + left.size();  // with the brackets, a blank, and the cursor's place
  const std::size_t columns = std::max(terminal_columns(STDERR_FILENO), taken + 1);
  write_diagnostics(fmt::format("\r\033[K[{:#<{}}{:-<{}}] {}{}", "", filled, "", width - filled,
                                shortened(without_control_characters(text), columns - taken), left));
}

void Console::end_progress() const {
  if (terminal_ && verbosity_ >= 0 && progress_start) write_diagnostics("\r\033[K");
  progress_start.reset();
}

void Console::write_errors_as_json() { json_errors = true; }

int Console::exit_code(int code) {
  if (std::fflush(stdout) != 0 && lost_results == 0) lost_results = errno;
  if (lost_results == 0) return code;
  Console().error(fmt::format("the results can't be written to standard output: {}", std::strerror(lost_results)),
                  "everything else was done; give it a place with room to write to");
  return kWrong;
}

void Console::titled(const char* code, const std::string& title, const std::string& text) const {
  write_diagnostics(styled(code, title) + diagnostic(title + " " + text).substr(title.size()) + "\n");
}

std::string Console::styled(const char* code, const std::string& text) const {
  return color_ ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
}

std::string time_left(double fraction, double seconds) {
  constexpr double enough_seconds = 2;  // what was done before says little
  if (seconds < enough_seconds || fraction <= 0.02 || fraction >= 1) return {};
  const double left = seconds * (1 - fraction) / fraction;
  if (left < 100) return fmt::format(", {:.0f} s left", std::ceil(left));
  return fmt::format(", {:.0f} min left", std::ceil(left / 60));
}

}  // namespace fusekit::cli
