#include "ir/operators/dtype_conversion.h"

#include "ir/constants.h"

namespace fusekit::ir {

std::optional<Conversion> as_conversion(Node* node) {
  if (!is_operator(node, {"aten::to"}) || node->schema().overload_name() != "dtype") return std::nullopt;
  const auto dtype = constant_int(argument(node, "dtype"));
  const Value* format = argument(node, "memory_format");
  if (!dtype || constant_bool(argument(node, "copy")) != false || !is_none(format)) return std::nullopt;
  return Conversion{node, node->input(0), static_cast<at::ScalarType>(*dtype)};
}

}  // namespace fusekit::ir
