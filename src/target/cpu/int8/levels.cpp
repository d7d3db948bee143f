#include "target/cpu/int8/levels.h"

#include <algorithm>

#include "ir/constants.h"

namespace fusekit::target {
namespace {

using torch::jit::Node;
using torch::jit::Value;

bool is_of_quantized(const Node* node) {
  return std::string_view(node->kind().toQualString()).starts_with("quantized::");
}

/// Operators of one int8 tensor whose output has its levels.
bool keeps_levels(const Node* node) {
  return ir::is_operator(
      node, {"aten::max_pool2d", "aten::avg_pool2d", "aten::adaptive_avg_pool2d", "aten::mean", "aten::relu",
             "aten::hardtanh", "aten::clamp", "aten::upsample_nearest2d", "aten::dropout"});
}

bool moves(const Node* node) {
  return ir::is_operator(
      node, {"aten::flatten", "aten::reshape", "aten::view", "aten::contiguous", "aten::slice", "aten::permute",
             "aten::transpose", "aten::unsqueeze", "aten::squeeze", "aten::channel_shuffle"});
}

std::optional<Levels> of_arguments(const Node* node, const char* scale, const char* zero_point) {
  const auto step = ir::constant_number(ir::argument(node, scale));
  const auto zero = ir::constant_int(ir::argument(node, zero_point));
  return step && zero ? std::optional(Levels{*step, *zero}) : std::nullopt;
}

std::vector<Value*> parts_of_cat(Node* node) {
  if (!ir::is_operator(node, {"quantized::cat"})) return {};
  Node* list = node->input(0)->node();
  if (list->kind() != c10::prim::ListConstruct) return {};
  const auto levels = levels_of(node->output());
  const bool are_equal = levels && std::all_of(list->inputs().begin(), list->inputs().end(),
                                               [&](Value* part) { return levels_of(part) == levels; });
  return are_equal ? list->inputs().vec() : std::vector<Value*>();
}

}  // namespace

std::optional<Levels> levels_of(Value* value) {
  while (ir::is_tensor(value) && (keeps_levels(value->node()) || moves(value->node()))) value = value->node()->input(0);
  if (!ir::is_tensor(value)) return std::nullopt;
  Node* node = value->node();
  if (node->kind() == c10::prim::If) {
    const auto a = levels_of(node->blocks()[0]->outputs()[value->offset()]);
    return a && a == levels_of(node->blocks()[1]->outputs()[value->offset()]) ? a : std::nullopt;
  }
  if (ir::is_operator(node, {"aten::quantize_per_tensor"})) {
    const bool is_unsigned = ir::constant_int(ir::argument(node, "dtype")) == static_cast<std::int64_t>(at::kQUInt8);
    return is_unsigned ? of_arguments(node, "scale", "zero_point") : std::nullopt;
  }
  if (!is_of_quantized(node) || node->maybeSchema() == nullptr) return std::nullopt;
  for (const auto& [scale, zero_point] : {std::pair("output_scale", "output_zero_point"),
                                          std::pair("scale", "zero_point"), std::pair("Y_scale_i", "Y_zero_point_i")})
    if (const auto levels = of_arguments(node, scale, zero_point)) return levels;
  return std::nullopt;
}

std::vector<Value*> moved_by(Node* node) {
  if (moves(node) && levels_of(node->output())) return {node->input(0)};
  return parts_of_cat(node);
}

}  // namespace fusekit::target
