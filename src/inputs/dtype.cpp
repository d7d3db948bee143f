#include "inputs/dtype.h"

#include <array>

namespace fusekit::inputs {
namespace {

struct Name {
  const char* name;
  at::ScalarType dtype;
};

// speed_benchmark_torch's names first ("float", "uint8_t", "int64"), then the others in their style.
constexpr std::array kNames{Name{"float", at::kFloat},       Name{"double", at::kDouble}, Name{"half", at::kHalf},
                            Name{"bfloat16", at::kBFloat16}, Name{"int64", at::kLong},    Name{"int32", at::kInt},
                            Name{"int16", at::kShort},       Name{"int8", at::kChar},     Name{"uint8_t", at::kByte},
                            Name{"bool", at::kBool}};

constexpr std::array kAliases{Name{"float32", at::kFloat}, Name{"float64", at::kDouble}, Name{"float16", at::kHalf},
                              Name{"uint8", at::kByte},    Name{"long", at::kLong},      Name{"int64_t", at::kLong},
                              Name{"int32_t", at::kInt}};

}  // namespace

std::optional<at::ScalarType> find_dtype(const std::string& name) {
  for (const Name& entry : kNames)
    if (name == entry.name) return entry.dtype;
  for (const Name& entry : kAliases)
    if (name == entry.name) return entry.dtype;
  return std::nullopt;
}

std::string name_of(at::ScalarType dtype) {
  for (const Name& entry : kNames)
    if (dtype == entry.dtype) return entry.name;
  return c10::toString(dtype);
}

std::string dtype_names() {
  std::string all;
  for (const Name& entry : kNames) all += (all.empty() ? "" : ", ") + std::string(entry.name);
  return all;
}

}  // namespace fusekit::inputs
