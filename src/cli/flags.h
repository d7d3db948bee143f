#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fusekit::cli {

/// A member of the library's options, as the library's messages spell it, and the flag that sets it.
struct OptionFlag {
  std::string_view option;  ///< "InputOptions::dims"
  std::string_view flag;    ///< "--input_dims"
};

std::span<const OptionFlag> option_flags();

/// What the library says, for who sits at the command line: "give InputOptions::dims" becomes "give --input_dims", and
/// "RuntimeOptions::engine = qnnpack" becomes "--engine qnnpack".
std::string in_flags(std::string text);

}  // namespace fusekit::cli
