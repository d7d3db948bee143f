#pragma once

#include <cstddef>
#include <string>

namespace fusekit::cli {

/// The columns of the terminal that is open as `descriptor`: COLUMNS, else what the terminal says, else 80; never less than
/// 40. 0 where it is no terminal: what scripts read is as wide as it is.
std::size_t terminal_columns(int descriptor);

/// Lines that take more than `columns` go on, at a blank, in a line of their own: below the text of the last of the
/// line's columns (two blanks stand before it) that begins in the left half, else indented. 0 columns: as it is.
std::string wrapped(const std::string& text, std::size_t columns);

/// The text with its control characters written out ("\x1b"), those of UTF-8 beyond 127 and bytes
/// that are no UTF-8 included; line ends and tabs stay.
std::string without_control_characters(const std::string& text);

}  // namespace fusekit::cli
