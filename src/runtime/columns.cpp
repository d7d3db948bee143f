#include "fusekit/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace fusekit {
namespace {

constexpr const char* kEllipsis = "…";

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

/// Where the character number `index` begins.
std::size_t byte_of(const std::string& text, std::size_t index) {
  std::size_t at = 0;
  for (; at < text.size(); ++at)
    if (begins_character(text[at]) && index-- == 0) break;
  return at;
}

/// With `head` of the columns for the beginning.
std::string cut(const std::string& text, std::size_t columns, std::size_t head) {
  const std::size_t all = columns_of(text);
  if (all <= columns || columns == 0) return text;
  const std::size_t tail = columns - 1 - head;
  return text.substr(0, byte_of(text, head)) + kEllipsis + text.substr(byte_of(text, all - tail));
}

/// The beginning, and what follows from the character number `place` on.
std::string cut_to(const std::string& text, std::size_t columns, std::size_t place) {
  const std::size_t all = columns_of(text), head = std::min<std::size_t>(4, (columns - 1) / 4);
  if (all <= columns || place <= head) return text;
  const std::size_t rest = columns - head - 1;
  const std::string tail = text.substr(byte_of(text, std::min(place, all - std::min(all, rest))));
  const bool fits = columns_of(tail) <= rest;
  return text.substr(0, byte_of(text, head)) + kEllipsis +
         (fits ? tail : tail.substr(0, byte_of(tail, rest - 1)) + kEllipsis);
}

/// The characters that all names which are too long begin with.
std::size_t common_beginning(const std::vector<std::string>& names, std::size_t columns) {
  std::string common;
  bool is_first = true;
  for (const std::string& name : names) {
    if (columns_of(name) <= columns) continue;
    if (std::exchange(is_first, false)) common = name;
    const auto end = std::mismatch(common.begin(), common.end(), name.begin(), name.end()).first;
    common.erase(end, common.end());
  }
  return columns_of(common);
}

bool stay_different(const std::vector<std::string>& names, const std::vector<std::string>& cuts) {
  return std::set<std::string>(names.begin(), names.end()).size() ==
         std::set<std::string>(cuts.begin(), cuts.end()).size();
}

}  // namespace

std::size_t columns_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string shortened(const std::string& text, std::size_t columns) {
  return cut(text, columns, columns == 0 ? 0 : (columns - 1) / 2);
}

std::vector<std::string> shortened(const std::vector<std::string>& names, std::size_t columns) {
  if (columns == 0) return names;
  std::vector<std::string> middle;
  for (const std::size_t quarters : {2U, 1U, 3U, 0U, 4U}) {
    std::vector<std::string> cuts;
    for (const std::string& name : names) cuts.push_back(cut(name, columns, (columns - 1) * quarters / 4));
    if (stay_different(names, cuts)) return cuts;
    if (middle.empty()) middle = std::move(cuts);
  }
  const std::size_t place = common_beginning(names, columns);
  std::vector<std::string> cuts;
  for (const std::string& name : names) cuts.push_back(cut_to(name, columns, place));
  return stay_different(names, cuts) ? cuts : middle;
}

std::string aligned(const std::vector<std::vector<std::string>>& rows, std::size_t figures) {
  std::vector<std::size_t> widths(figures + 1);
  for (const auto& row : rows)
    for (std::size_t i = 0; i <= figures; ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  std::string text;
  for (const auto& row : rows) {
    std::string line = fmt::format("{:<{}}", row[0], widths[0]);
    for (std::size_t i = 1; i <= figures; ++i) line += fmt::format("  {:>{}}", row[i], widths[i]);
    for (std::size_t i = figures + 1; i < row.size(); ++i) line += "  " + row[i];
    line.erase(line.find_last_not_of(' ') + 1);
    text += (text.empty() ? "" : "\n") + line;
  }
  return text;
}

}  // namespace fusekit
