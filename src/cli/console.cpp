#include "cli/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command.h"
#include "cli/flags.h"

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

Console::Console(int verbosity)
    : verbosity_(verbosity), terminal_(is_terminal()), color_(terminal_ && std::getenv("NO_COLOR") == nullptr) {}

void Console::print(const std::string& text) const { write_results(in_flags(text) + "\n"); }

void Console::print_json(const nlohmann::json& document) const {
  print(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void Console::print_json(const nlohmann::ordered_json& document) const {
  print(document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void Console::note(const std::string& text) const {
  if (verbosity_ >= 0) write_diagnostics(in_flags(text) + "\n");
}

void Console::detail(const std::string& text) const {
  if (verbosity_ >= 1) write_diagnostics(in_flags(text) + "\n");
}

void Console::warn(const std::string& text) const {
  write_diagnostics(fmt::format("{} {}\n", styled("33", "warning:"), in_flags(text)));
}

void Console::error(const std::string& message, const std::string& hint) const {
  write_diagnostics(fmt::format("{} {}\n", styled("31", "error:"), in_flags(message)));
  if (!hint.empty()) write_diagnostics(fmt::format("{} {}\n", styled("36", "hint:"), in_flags(hint)));
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
  write_diagnostics(
      fmt::format("\r\033[K[{:#<{}}{:-<{}}] {}{}", "", filled, "", width - filled, text, time_left(fraction, seconds)));
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

std::string Console::styled(const char* code, const std::string& text) const {
  return color_ ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
}

std::string time_left(double fraction, double seconds) {
  constexpr double kEnoughSeconds = 2;  // what was done before says little
  if (seconds < kEnoughSeconds || fraction <= 0.02 || fraction >= 1) return {};
  const double left = seconds * (1 - fraction) / fraction;
  if (left < 100) return fmt::format(", {:.0f} s left", std::ceil(left));
  return fmt::format(", {:.0f} min left", std::ceil(left / 60));
}

}  // namespace fusekit::cli
