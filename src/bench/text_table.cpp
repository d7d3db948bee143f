#include "bench/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fusekit/columns.h"

namespace fusekit::bench {

std::string figure(double value) {
  const double magnitude = std::abs(value);
  return fmt::format("{:.{}f}", value, magnitude >= 1000 ? 0 : magnitude >= 100 ? 1 : magnitude >= 10 ? 2 : 3);
}

std::string figure(const std::optional<double>& value) { return value ? figure(*value) : "-"; }

std::size_t widest(const std::vector<Row>& rows, std::size_t column) {
  std::size_t width = 0;
  for (const Row& row : rows)
    if (column < row.size()) width = std::max(width, columns_of(row[column]));
  return width;
}

std::size_t room_for_names(const std::vector<Row>& rows, std::size_t columns) {
  std::size_t taken = 0;
  for (std::size_t i = 1; i < rows.front().size(); ++i) taken += 2 + widest(rows, i);
  return columns - std::min(columns, taken);
}

void shorten(std::vector<Row>& rows, std::size_t column, std::size_t width) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const Row& row : rows) names.push_back(row[column]);
  names = shortened(names, width);
  for (std::size_t r = 0; r < rows.size(); ++r) rows[r][column] = names[r];
}

std::vector<std::string> fit(std::vector<Row>& rows, std::size_t columns, const std::vector<std::string>& unneeded) {
  if (columns == 0) return {};
  constexpr std::size_t enough = 24, least = 12;
  std::vector<std::string> taken;
  const std::size_t wanted = std::min(enough, widest(rows, 0));
  for (const std::string& title : unneeded) {
    if (room_for_names(rows, columns) >= wanted) break;
    const auto found = std::find(rows.front().begin(), rows.front().end(), title);
    if (found == rows.front().end()) continue;
    const auto column = found - rows.front().begin();
    for (Row& row : rows) row.erase(row.begin() + column);
    taken.push_back(title);
  }
  shorten(rows, 0, std::max(least, room_for_names(rows, columns)));
  return taken;
}

}  // namespace fusekit::bench
