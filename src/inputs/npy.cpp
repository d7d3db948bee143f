#include "inputs/npy.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <regex>

#include "fusekit/error.h"

namespace fusekit::inputs {
namespace {

// The format is described in numpy/lib/format.py.
constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kLargestHeader = 64 << 10;

struct Header {
  at::ScalarType dtype;
  bool fortran = false;
  std::vector<std::int64_t> shape;
};

Error npy_error(const std::string& where, const std::string& what) {
  return {ErrorKind::file, where + ": " + what, "write it anew with numpy.save(file, array)"};
}

std::size_t little_endian(std::string_view bytes) {
  std::size_t number = 0;
  for (std::size_t k = bytes.size(); k-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[k]);
  return number;
}

at::ScalarType dtype_of(const std::string& descr, const std::string& where) {
  static const std::map<std::string, at::ScalarType> types{{"f2", at::kHalf}, {"f4", at::kFloat}, {"f8", at::kDouble},
                                                           {"i1", at::kChar}, {"i2", at::kShort}, {"i4", at::kInt},
                                                           {"i8", at::kLong}, {"u1", at::kByte},  {"b1", at::kBool}};
  if (descr.starts_with('>')) throw npy_error(where, "the array is big-endian (" + descr + ")");
  const auto found = types.find(descr.size() > 1 ? descr.substr(1) : descr);
  if (found != types.end()) return found->second;
  throw Error(ErrorKind::file, fmt::format("{}: arrays of dtype '{}' are not supported", where, descr),
              "use float16, float32, float64, int8, int16, int32, int64, uint8 or bool");
}

std::vector<std::int64_t> parse_shape(const std::string& text, const std::string& where) {
  static const std::regex number(R"(\d+)");
  std::vector<std::int64_t> shape;
  std::int64_t elements = 1;
  for (std::sregex_iterator it(text.begin(), text.end(), number), end; it != end; ++it) {
    const std::string digits = it->str();
    std::int64_t size = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), size);
    if (parsed.ec != std::errc() || __builtin_mul_overflow(elements, size, &elements))
      throw npy_error(where, "its shape (" + text + ") is too large");
    shape.push_back(size);
  }
  return shape;
}

Header parse_header(const std::string& text, const std::string& where) {
  static const std::regex descr(R"('descr'\s*:\s*'([^']*)')");
  static const std::regex order(R"('fortran_order'\s*:\s*(True|False))");
  static const std::regex shape(R"('shape'\s*:\s*\(([\d,\s]*)\))");
  std::smatch type;
  std::smatch fortran;
  std::smatch dims;
  if (!std::regex_search(text, type, descr))
    throw npy_error(where, "its header names no plain dtype (arrays of records are not supported)");
  if (!std::regex_search(text, fortran, order) || !std::regex_search(text, dims, shape))
    throw npy_error(where, "its header is not NumPy's");
  return {dtype_of(type[1], where), fortran[1] == "True", parse_shape(dims[1], where)};
}

}  // namespace

at::Tensor parse_npy(std::string_view bytes, const std::string& where) {
  if (!bytes.starts_with(kMagic) || bytes.size() < 12) throw npy_error(where, "is no .npy file");
  const int version = static_cast<unsigned char>(bytes[6]);
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  if (version < 1 || version > 3)
    throw npy_error(where, fmt::format("has the unknown .npy format version {}", version));
  const std::size_t length = little_endian(bytes.substr(8, length_bytes));
  const std::size_t start = 8 + length_bytes + length;
  if (length > kLargestHeader || start > bytes.size()) throw npy_error(where, "its header is cut short or too long");
  Header header = parse_header(std::string(bytes.substr(8 + length_bytes, length)), where);

  if (header.fortran) std::reverse(header.shape.begin(), header.shape.end());
  std::uint64_t needed = at::elementSize(header.dtype);
  for (const std::int64_t size : header.shape)
    if (__builtin_mul_overflow(needed, static_cast<std::uint64_t>(size), &needed))
      throw npy_error(where, "is too large");
  if (bytes.size() - start < needed)
    throw npy_error(where, fmt::format("holds {} bytes of data, its shape asks for {}", bytes.size() - start, needed));
  at::Tensor tensor = at::empty(header.shape, header.dtype);
  std::copy_n(bytes.data() + start, needed, static_cast<char*>(tensor.data_ptr()));
  if (!header.fortran) return tensor;
  std::vector<std::int64_t> reversed(header.shape.size());
  for (std::size_t k = 0; k < reversed.size(); ++k) reversed[k] = static_cast<std::int64_t>(reversed.size() - 1 - k);
  return tensor.permute(reversed).contiguous();
}

}  // namespace fusekit::inputs
