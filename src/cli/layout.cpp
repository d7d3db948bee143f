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
  constexpr std::size_t text_column = 20;  // so far to the right stands the text of what is above
  return first > columns / 2 ? 2 : first >= text_column ? first : first + 2;
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

namespace {

/// The bytes of the UTF-8 character that begins there; 0 where none does.
std::size_t utf8_length(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  const int first = byte(at);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  for (std::size_t i = 1; i < length; ++i)
    if (byte(at + i) < 0x80 || byte(at + i) > 0xBF) return 0;
  return length;
}

bool is_control(const std::string& text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first == 0xC2) return static_cast<unsigned char>(text[at + 1]) < 0xA0;  // U+0080 to U+009F
  return (first < 32 && first != '\n' && first != '\t') || first == 127;
}

}  // namespace

std::string without_control_characters(const std::string& text) {
  std::string visible;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length > 0 && !is_control(text, at)) {
      visible.append(text, at, length);
    } else {
      visible += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at + (length == 2 ? 1 : 0)]));
    }
    at += std::max<std::size_t>(length, 1);
  }
  return visible;
}

}  // namespace fusekit::cli
