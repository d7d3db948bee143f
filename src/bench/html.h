#pragma once

#include <string_view>

/// The files of src/bench/html, embedded by cmake/Embed.cmake.
namespace fusekit::bench::html {

extern const std::string_view page;
extern const std::string_view style;
extern const std::string_view script;
extern const std::string_view roofline;

}  // namespace fusekit::bench::html
