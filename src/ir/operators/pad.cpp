#include "ir/operators/pad.h"

#include "ir/constants.h"

namespace fusekit::ir {

std::optional<Pad> as_pad(Node* node) {
  if (!is_operator(node, {"aten::constant_pad_nd", "aten::pad"})) return std::nullopt;
  if (is_operator(node, {"aten::pad"}) && constant_string(argument(node, "mode")) != "constant") return std::nullopt;
  const auto counts = constant_ints(argument(node, "pad"));
  const Value* given = argument(node, "value");
  const auto value = is_none(given) ? std::optional(0.0) : constant_number(given);
  if (!counts || counts->size() % 2 != 0 || !value) return std::nullopt;
  Pad pad{node, node->input(0), {}, {}, *value};
  for (std::size_t i = 0; i < counts->size(); i += 2) {
    pad.before.push_back((*counts)[i]);
    pad.after.push_back((*counts)[i + 1]);
  }
  return pad;
}

}  // namespace fusekit::ir
