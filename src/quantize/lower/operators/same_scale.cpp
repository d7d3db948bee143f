// Operators that move, pick or average levels: their output has their input's scale and zero point. aten's own kernels
// take int8 tensors, so the node stays and only reads int8.
#include "quantize/lower/operators/all.h"

namespace fusekit::quantize {
namespace {

bool is_mover(const Node* node) {
  return is_operator(
      node, {"aten::flatten", "aten::reshape", "aten::view", "aten::permute", "aten::transpose", "aten::squeeze",
             "aten::unsqueeze", "aten::slice", "aten::select", "aten::contiguous", "aten::narrow", "aten::alias",
             "aten::detach", "aten::clone", "aten::t", "aten::constant_pad_nd", "aten::pixel_shuffle",
             "aten::channel_shuffle", "aten::native_channel_shuffle"});
}

bool is_pool(const Node* node) {
  return is_operator(node, {"aten::max_pool1d", "aten::max_pool2d", "aten::avg_pool2d", "aten::avg_pool3d",
                            "aten::adaptive_avg_pool2d", "aten::adaptive_avg_pool3d"});
}

bool is_mean(const Node* node) { return is_operator(node, {"aten::mean"}) && node->inputs().size() == 4; }

bool is_interpolation(const Node* node) {
  return is_operator(node, {"aten::upsample_nearest2d", "aten::upsample_bilinear2d", "aten::upsample_nearest3d"});
}

bool is_clamp(const Node* node) {
  return is_operator(node, {"aten::relu", "aten::relu6", "aten::hardtanh", "aten::clamp", "aten::clamp_min"});
}

bool is_split(const Node* node) { return is_operator(node, {"aten::chunk", "aten::split", "aten::split_with_sizes"}); }

bool is_element(const Node* node) {
  return is_operator(node, {"aten::__getitem__"}) && node->output()->type()->isSubtypeOf(*c10::TensorType::get());
}

bool gives_one_tensor(const Node* node) {
  return node->outputs().size() == 1 && node->output()->type()->isSubtypeOf(*c10::TensorType::get());
}

WhyNot mean_has_a_dtype(Node* node, const ir::Program&) {
  return ir::is_none(node->namedInput("dtype")) ? std::nullopt : WhyNot("it converts to another dtype");
}

/// Levels of zero stand for zero; other values would have to be on the grid.
WhyNot pads_with_another_value(Node* node, const ir::Program&) {
  if (!gives_one_tensor(node)) return "it has several outputs";
  if (!is_operator(node, {"aten::constant_pad_nd"})) return std::nullopt;
  return constant_number(node->namedInput("value")) == 0.0 ? std::nullopt : WhyNot("it pads with another value than 0");
}

WhyNot is_no_plain_clamp(Node* node, const ir::Program&) {
  return as_clamp(node) ? std::nullopt : WhyNot("its bounds are computed, or leave out 0");
}

/// A list that goes elsewhere would have to be made anew in float.
WhyNot parts_are_not_picked_one_by_one(Node* node, const ir::Program&) {
  for (const torch::jit::Use& use : node->output()->uses())
    if (!is_element(use.user)) return "its parts are used as a list";
  return std::nullopt;
}

std::vector<std::int64_t> batched(Node* node, const ir::Program&) {
  const std::string_view name = node->kind().toQualString();
  if (name == "aten::max_pool1d") return {3};
  return {name.find("3d") != name.npos ? 5 : 4};
}

Value* emit_clamp(const Step& step, Emitter& emitter) {
  const Clamp clamp = *as_clamp(step.front());
  if (is_operator(step.front(), {"aten::relu", "aten::clamp_min"}) && clamp.low == 0)
    return emitter.insert(step, "aten::relu", {emitter.int8(step.inputs[0])});
  return emitter.ending_with(clamp, step, emitter.int8(step.inputs[0]));
}

Conversion mover(std::string_view name, bool (*matches)(const Node*), WhyNot (*why_not)(Node*, const ir::Program&)) {
  return {.name = name,
          .summary = "the same levels, moved, picked or averaged",
          .matches = matches,
          .why_not = why_not,
          .inputs = first_input,
          .emit = emit_itself,
          .scale = OutputScale::of_input,
          .appetite = Appetite::every_input};
}

}  // namespace

std::vector<Conversion> same_scale() {
  Conversion pool = mover("pooling", is_pool, nothing_against);
  pool.ranks = batched;
  Conversion interpolation = mover("interpolation", is_interpolation, nothing_against);
  interpolation.ranks = batched;
  Conversion clamp = mover("clamp", is_clamp, is_no_plain_clamp);
  clamp.emit = emit_clamp;
  return {mover("move", is_mover, pads_with_another_value),
          pool,
          mover("mean", is_mean, mean_has_a_dtype),
          interpolation,
          clamp,
          mover("split", is_split, parts_are_not_picked_one_by_one),
          mover("element", is_element, nothing_against)};
}

}  // namespace fusekit::quantize
