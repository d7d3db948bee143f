#include <charconv>
#include <limits>

#include "fusekit/error.h"
#include "fusekit/inputs.h"

namespace fusekit {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

template <typename Use>
void for_each_part(std::string_view text, char separator, const Use& use) {
  for (;;) {
    const auto end = text.find(separator);
    use(trim(text.substr(0, end)));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

std::int64_t parse_size(std::string_view part, std::string_view shape) {
  std::int64_t size = 0;
  const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), size);
  if (problem != std::errc() || end != part.data() + part.size() || size < 0)
    throw Error(ErrorKind::usage, fmt::format("\"{}\" in the shape \"{}\" is not a size", part, shape),
                "sizes are whole numbers; commas inside a shape, semicolons between shapes: \"1,3,224,224;1,10\"");
  return size;
}

std::vector<std::int64_t> parse_shape(std::string_view text) {
  std::vector<std::int64_t> shape;
  if (text.empty()) return shape;  // a tensor without dimensions, or an argument that is no tensor
  for_each_part(text, ',', [&](std::string_view part) { shape.push_back(parse_size(part, text)); });
  std::int64_t elements = 1;
  for (const std::int64_t size : shape)
    if (__builtin_mul_overflow(elements, size, &elements) || elements > std::numeric_limits<std::int32_t>::max())
      throw Error(ErrorKind::usage, fmt::format("the shape \"{}\" has more than 2^31 elements", text),
                  "give a smaller InputOptions::dims");
  return shape;
}

}  // namespace

std::vector<std::vector<std::int64_t>> parse_dims(const std::string& text) {
  std::vector<std::vector<std::int64_t>> shapes;
  for_each_part(text, ';', [&](std::string_view part) { shapes.push_back(parse_shape(part)); });
  if (shapes.size() > 1 && trim(text).ends_with(';')) shapes.pop_back();  // as speed_benchmark_torch reads it
  return shapes;
}

}  // namespace fusekit
