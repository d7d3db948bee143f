#include "cli/layout.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "fusekit/columns.h"

namespace fusekit::cli {
namespace {

constexpr std::size_t kUsualColumns = 80;
constexpr std::size_t kLeastColumns = 40;

/// 0 where `text` is no number.
std::size_t number_in(const char* text) {
  std::size_t number = 0;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), number);
  return number;
}

/// Where the continuation of a line begins.
std::size_t hanging_indent(const std::string& line, std::size_t columns) {
  const std::size_t first = std::min(line.find_first_not_of(' '), line.size());
  std::size_t last = first;
  for (std::size_t at = first + 2; at < line.size() && at <= columns / 2; ++at)
    if (line[at] != ' ' && line[at - 1] == ' ' && line[at - 2] == ' ') last = at;
  if (last > first) return last;
  constexpr std::size_t kText = 20;  // so far to the right stands the text of what is above
  return first > columns / 2 ? 2 : first >= kText ? first : first + 2;
}

std::string wrapped_line(std::string line, std::size_t columns) {
  const std::size_t indent = hanging_indent(line, columns);
  std::string text;
  std::size_t begin = std::min(line.find_first_not_of(' '), line.size());  // no break in what stands before
  while (columns_of(line) > columns) {
    std::size_t taken = columns_of(line.substr(0, begin)), cut = std::string::npos;
    for (std::size_t at = begin; at < line.size() && (taken <= columns || cut == std::string::npos); ++at) {
      if (line[at] == ' ' && at > begin) cut = at;
      if ((static_cast<unsigned char>(line[at]) & 0xC0U) != 0x80U) ++taken;
    }
    const std::size_t next = cut == std::string::npos ? cut : line.find_first_not_of(' ', cut);
    if (next == std::string::npos) break;  // one word
    text += line.substr(0, line.find_last_not_of(' ', cut) + 1) + "\n";
    line = std::string(indent, ' ') + line.substr(next);
    begin = indent;
  }
  return text + line;
}

}  // namespace

std::size_t terminal_columns(int descriptor) {
  if (isatty(descriptor) != 1) return 0;
  if (const std::size_t wanted = number_in(std::getenv("COLUMNS")); wanted > 0) return std::max(wanted, kLeastColumns);
  winsize size{};
  const bool told = ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return told ? std::max<std::size_t>(size.ws_col, kLeastColumns) : kUsualColumns;
}

std::string wrapped(const std::string& text, std::size_t columns) {
  if (columns == 0) return text;
  std::string out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    out += wrapped_line(text.substr(begin, end - begin), columns);
    if (end < text.size()) out += '\n';
    begin = end + 1;
  }
  return out;
}

std::string without_control_characters(const std::string& text) {
  std::string visible;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {  // U+0080 to U+009F
      visible += fmt::format("\\x{:02x}", next);
      ++i;
    } else if ((byte < 32 && byte != '\n' && byte != '\t') || byte == 127) {
      visible += fmt::format("\\x{:02x}", byte);
    } else {
      visible += text[i];
    }
  }
  return visible;
}

}  // namespace fusekit::cli
