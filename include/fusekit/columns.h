#pragma once

#include <cstddef>
#include <string>
#include <vector>

/// Text in a terminal's columns.
namespace fusekit {

/// The columns that UTF-8 text takes: one for each character.
std::size_t columns_of(const std::string& text);

/// `text` with an ellipsis for its middle where it takes more than `columns`.
std::string shortened(const std::string& text, std::size_t columns);

/// Each of them in at most `columns`, cut at the same place: in the middle, or elsewhere where names that differ would
/// else become the same.
std::vector<std::string> shortened(const std::vector<std::string>& names, std::size_t columns);

/// Rows as lines of aligned columns, two blanks apart: the first column to the left, then `figures` columns to the right,
/// then what else a row has.
std::string aligned(const std::vector<std::vector<std::string>>& rows, std::size_t figures);

}  // namespace fusekit
