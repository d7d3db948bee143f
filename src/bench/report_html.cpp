// A report as a self-contained page: the files of src/bench/html and the JSON report.
#include "bench/html.h"
#include "fusekit/bench_formats.h"

namespace fusekit::bench {
namespace {

/// Escapes '<': within <script>, the text "</script" in a string would end the script.
std::string without_markup(const std::string& json) {
  std::string out;
  out.reserve(json.size());
  for (char c : json) out += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return out;
}

}  // namespace

std::string html_page(const std::string& json) {
  std::string out;
  std::string_view rest = html::page;
  const auto put = [&](std::string_view mark, std::string_view text) {
    const std::size_t at = rest.find(mark);
    out += rest.substr(0, at);
    out += text;
    rest.remove_prefix(at + mark.size());
  };
  put("@STYLE@", html::style);
  put("@DATA@", without_markup(json));
  put("@ROOFLINE@", html::roofline);
  put("@SCRIPT@", html::script);
  return out += rest;
}

}  // namespace fusekit::bench
