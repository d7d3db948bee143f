#include "runtime/error_text.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <sstream>
#include <vector>

#include "fusekit/error.h"

namespace fusekit::runtime {
namespace {

std::string trim(const std::string& line) {
  const auto first = line.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

/// The non-empty lines before LibTorch's C++ backtrace.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("Exception raised from ") || line.starts_with("C++ CapturedTraceback")) break;
    if (!trim(line).empty()) lines.push_back(line);
  }
  return lines;
}

/// "RuntimeError: what went wrong" -> "what went wrong"; empty where the line has no such beginning.
std::string after_exception_name(const std::string& line) {
  for (const char* name : {"RuntimeError: ", "torch.jit.Error: ", "ValueError: ", "AssertionError: ", "IndexError: "})
    if (line.starts_with(name)) return trim(line.substr(std::string(name).size()));
  return {};
}

bool is_boilerplate(const std::string& line) {
  return line.starts_with("The following operation failed in the TorchScript interpreter") ||
         line.starts_with("Traceback of TorchScript") || line.starts_with("  File ") || line.starts_with("    ") ||
         trim(line).find_first_not_of("~^. <-HERE") == std::string::npos;
}

/// A network may raise with any text.
std::string shortened(const std::string& reason) {
  constexpr std::size_t most = 2000;
  if (reason.size() <= most) return reason;
  return fmt::format("{}... ({} characters)", reason.substr(0, most), reason.size());
}

std::string reason_in(const std::string& text) {
  const std::vector<std::string> lines = lines_of(text);
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    if (const std::string reason = after_exception_name(*line); !reason.empty()) return reason;
  // Without an exception's name: the reason is the last line of a traceback, and the first line of any other message.
  const bool traceback = !lines.empty() && is_boilerplate(lines.front());
  if (traceback)
    for (auto line = lines.rbegin(); line != lines.rend(); ++line)
      if (!is_boilerplate(*line)) return trim(*line);
  for (const std::string& line : lines)
    if (!is_boilerplate(line)) return trim(line);
  return "LibTorch gives no reason";
}

std::string one_line(const std::string& text) { return shortened(reason_in(text)); }

}  // namespace

std::string explain(const std::exception& error) {
  if (const auto* libtorch = dynamic_cast<const c10::Error*>(&error))
    return one_line(libtorch->what_without_backtrace());
  return one_line(error.what());
}

std::string explain_current_exception() {
  try {
    throw;
  } catch (const std::exception& error) {
    return explain(error);
  } catch (...) {
    return "an exception of unknown type";
  }
}

}  // namespace fusekit::runtime
