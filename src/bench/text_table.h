#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace fusekit::bench {

/// A row of a table for a terminal; the first of a table's rows holds its titles.
using Row = std::vector<std::string>;

/// Four significant digits, never with an exponent.
std::string figure(double value);
std::string figure(const std::optional<double>& value);  ///< "-" for none

std::size_t widest(const std::vector<Row>& rows, std::size_t column);
/// The columns that are left for names, of `columns` in all.
std::size_t room_for_names(const std::vector<Row>& rows, std::size_t columns);
/// Each cell of a column in at most `width`.
void shorten(std::vector<Row>& rows, std::size_t column, std::size_t width);
/// Takes columns of `unneeded` (their titles) away until there is room for names, and shortens these. Returns what it took.
std::vector<std::string> fit(std::vector<Row>& rows, std::size_t columns, const std::vector<std::string>& unneeded);

}  // namespace fusekit::bench
