#include "inputs/draw.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/ranges.h>

#include <charconv>

#include "fusekit/error.h"
#include "inputs/dtype.h"

namespace fusekit::inputs {
namespace {

constexpr std::string_view kListMark = "[]";

bool is_literal(const std::string& type) { return type.starts_with('='); }
bool is_list(const std::string& type) { return type.ends_with(kListMark); }

std::string without_list_mark(const std::string& type) {
  return is_list(type) ? type.substr(0, type.size() - kListMark.size()) : type;
}

/// The bound of "int64<30522"; 0 where there is none.
std::int64_t bound_in(const std::string& type) {
  const std::string form = without_list_mark(type);
  const auto mark = form.find('<');
  if (mark == std::string::npos) return 0;
  std::int64_t bound = 0;
  const char* end = form.data() + form.size();
  if (std::from_chars(form.data() + mark + 1, end, bound).ptr != end || bound < 1)
    throw Error(ErrorKind::usage, fmt::format("input type \"{}\": behind < stands a whole number", type),
                "e.g. int64<30522");
  return bound;
}

at::ScalarType dtype_of(const std::string& type) {
  const std::string form = without_list_mark(type);
  if (const auto dtype = find_dtype(form.substr(0, form.find('<')))) return *dtype;
  throw Error(ErrorKind::usage, fmt::format("unknown input type \"{}\"", type),
              fmt::format("InputOptions::types takes {}, one for each shape, separated by semicolons", dtype_names()));
}

void check_memory_format(const std::string& name) {
  if (name == "contiguous_format" || name == "channels_last") return;
  throw Error(ErrorKind::usage, fmt::format("unknown memory format \"{}\"", name),
              "InputOptions::memory_formats takes contiguous_format or channels_last");
}

/// The k-th entry of a list; its last entry where the list is shorter; `otherwise` where it is empty.
std::string entry(const std::vector<std::string>& list, std::size_t k, const char* otherwise) {
  return list.empty() ? otherwise : list[std::min(k, list.size() - 1)];
}

/// "=3" -> 3, "=0.5" -> 0.5, "=true" -> true, "=None" -> None; anything else is a string.
c10::IValue literal(const std::string& type) {
  const std::string text = type.substr(1);
  const char* end = text.data() + text.size();
  if (text == "None") return {};
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  std::int64_t whole = 0;
  if (std::from_chars(text.data(), end, whole).ptr == end && !text.empty()) return whole;
  double number = 0;
  if (std::from_chars(text.data(), end, number).ptr == end && !text.empty()) return number;
  return text;
}

std::int64_t upper_bound(at::ScalarType dtype, std::int64_t int_high) {
  if (dtype == at::kBool) return 2;
  std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  if (dtype == at::kByte) largest = 256;
  if (dtype == at::kChar) largest = 128;
  if (dtype == at::kShort) largest = 32768;
  if (dtype == at::kInt) largest = std::int64_t{1} << 31;
  if (int_high > 0) return std::min(int_high, largest);
  return dtype == at::kByte || dtype == at::kChar ? largest : 2;
}

at::Tensor draw_tensor(const ArgumentForm& form, std::int64_t int_high, const at::Generator& generator) {
  const at::ScalarType dtype = dtype_of(form.type);
  const std::int64_t bound = bound_in(form.type);
  at::Tensor tensor;
  if (at::isFloatingType(dtype)) {
    const at::ScalarType drawn = dtype == at::kDouble ? at::kDouble : at::kFloat;
    tensor = at::randn(form.dims, generator, at::TensorOptions(drawn)).to(dtype);
  } else {
    tensor = at::randint(0, upper_bound(dtype, bound > 0 ? bound : int_high), form.dims, generator,
                         at::TensorOptions(at::kLong))
                 .to(dtype);
  }
  if (form.memory_format == "channels_last" && tensor.dim() == 4)
    tensor = tensor.contiguous(at::MemoryFormat::ChannelsLast);
  return tensor;
}

}  // namespace

std::vector<ArgumentForm> argument_forms(const InputOptions& options) {
  const std::size_t count = std::max(options.dims.size(), options.types.size());
  std::vector<ArgumentForm> forms;
  for (std::size_t k = 0; k < count; ++k) {
    ArgumentForm form{{}, entry(options.types, k, "float"), entry(options.memory_formats, k, "contiguous_format")};
    if (k < options.dims.size()) {
      form.dims = options.dims[k];
    } else if (!is_literal(form.type)) {
      throw Error(ErrorKind::usage, fmt::format("{} input types for {} shapes", count, options.dims.size()),
                  "give one InputOptions::types for each shape of InputOptions::dims, or one for all");
    }
    if (!is_literal(form.type) && bound_in(form.type) > 0 && at::isFloatingType(dtype_of(form.type)))
      throw Error(ErrorKind::usage, fmt::format("input type \"{}\": a bound is for integers", form.type),
                  "InputOptions::types: leave it out");
    if (!is_literal(form.type)) dtype_of(form.type);
    check_memory_format(form.memory_format);
    forms.push_back(std::move(form));
  }
  if (options.memory_formats.size() > std::max<std::size_t>(count, 1))
    throw Error(ErrorKind::usage, fmt::format("{} memory formats for {} inputs", options.memory_formats.size(), count),
                "give one InputOptions::memory_formats for each shape of InputOptions::dims, or one for all");
  return forms;
}

std::string describe(const ArgumentForm& form) {
  if (is_literal(form.type)) return form.type;
  const std::string shape = form.dims.empty() ? "scalar" : fmt::format("{}", fmt::join(form.dims, "x"));
  const bool last = form.memory_format == "channels_last" && form.dims.size() == 4;
  return shape + " " + form.type + (last ? " channels_last" : "");
}

std::string text_of(const std::vector<ArgumentForm>& forms) {
  std::string text;
  for (const ArgumentForm& form : forms) text += (text.empty() ? "" : "; ") + describe(form);
  return text;
}

bool is_literal(const ArgumentForm& form) { return is_literal(form.type); }

InputOptions options_of(const std::vector<ArgumentForm>& forms) {
  InputOptions options;
  for (const ArgumentForm& form : forms) {
    options.dims.push_back(form.dims);
    options.types.push_back(form.type);
    options.memory_formats.push_back(form.memory_format);
  }
  return options;
}

std::vector<c10::IValue> blank(const std::vector<ArgumentForm>& forms) {
  std::vector<c10::IValue> sample;
  for (const ArgumentForm& form : forms) {
    if (is_literal(form.type)) {
      sample.push_back(literal(form.type));
      continue;
    }
    const at::Tensor tensor = at::empty(form.dims, at::TensorOptions(dtype_of(form.type)).device(at::kMeta));
    sample.emplace_back(is_list(form.type) ? c10::IValue(c10::List<at::Tensor>({tensor})) : c10::IValue(tensor));
  }
  return sample;
}

std::vector<c10::IValue> draw(const std::vector<ArgumentForm>& forms, std::int64_t int_high, std::uint64_t seed) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  std::vector<c10::IValue> sample;
  for (const ArgumentForm& form : forms) {
    if (is_literal(form.type)) {
      sample.push_back(literal(form.type));
    } else if (at::Tensor tensor = draw_tensor(form, int_high, generator); is_list(form.type)) {
      sample.emplace_back(c10::List<at::Tensor>({tensor}));
    } else {
      sample.emplace_back(std::move(tensor));
    }
  }
  return sample;
}

}  // namespace fusekit::inputs
