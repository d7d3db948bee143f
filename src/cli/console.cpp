#include "cli/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/flags.h"

namespace fusekit::cli {

Console::Console(int verbosity)
    : verbosity_(verbosity), terminal_(isatty(STDERR_FILENO) == 1), color_(terminal_ && !std::getenv("NO_COLOR")) {}

void Console::print(const std::string& given) const {
  const std::string text = in_flags(given);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

void Console::note(const std::string& text) const {
  if (verbosity_ >= 0) fmt::print(stderr, "{}\n", in_flags(text));
}

void Console::detail(const std::string& text) const {
  if (verbosity_ >= 1) fmt::print(stderr, "{}\n", in_flags(text));
}

void Console::warn(const std::string& text) const {
  fmt::print(stderr, "{} {}\n", styled("33", "warning:"), in_flags(text));
}

void Console::error(const std::string& message, const std::string& hint) const {
  fmt::print(stderr, "{} {}\n", styled("31", "error:"), in_flags(message));
  if (!hint.empty()) fmt::print(stderr, "{} {}\n", styled("36", "hint:"), in_flags(hint));
}

void Console::progress(double fraction, const std::string& text) const {
  if (!terminal_ || verbosity_ < 0) return;
  constexpr int width = 24;
  const int filled = static_cast<int>(fraction * width + 0.5);
  fmt::print(stderr, "\r\033[K[{:#<{}}{:-<{}}] {}", "", filled, "", width - filled, text);
  std::fflush(stderr);
}

void Console::end_progress() const {
  if (terminal_ && verbosity_ >= 0) fmt::print(stderr, "\r\033[K");
}

std::string Console::styled(const char* code, const std::string& text) const {
  return color_ ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
}

}  // namespace fusekit::cli
