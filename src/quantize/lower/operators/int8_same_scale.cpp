// Operators that move, pick or average levels: their output has their input's scale and zero point. aten's own kernels
// take int8 tensors, so the node stays and only reads int8.
#include <cmath>

#include "quantize/lower/operators/int8_operators.h"

namespace fusekit::quantize {
namespace {

constexpr std::int64_t kMaximaAtOnce = 32;  // max_pool2d's channels; those left over are taken one by one

bool is_layout_operator(Node* node) {
  return ir::is_operator(
      node, {"aten::flatten", "aten::reshape", "aten::view", "aten::permute", "aten::transpose", "aten::squeeze",
             "aten::unsqueeze", "aten::slice", "aten::select", "aten::contiguous", "aten::narrow", "aten::alias",
             "aten::detach", "aten::clone", "aten::t", "aten::channel_shuffle", "aten::native_channel_shuffle"});
}

bool copies_slowly(Node* node) { return ir::is_operator(node, {"aten::constant_pad_nd", "aten::pixel_shuffle"}); }

/// There are int8 kernels for these.
bool is_pool(Node* node) {
  const auto pool = ir::as_pool(node);
  return pool && (pool->is_max ? !pool->is_adaptive && pool->spatial < 3 : pool->spatial > 1);
}

bool is_mean(Node* node) { return ir::is_operator(node, {"aten::mean"}) && node->inputs().size() == 4; }

bool is_nearest(Node* node) { return ir::is_operator(node, {"aten::upsample_nearest2d", "aten::upsample_nearest3d"}); }
bool is_bilinear(Node* node) { return ir::is_operator(node, {"aten::upsample_bilinear2d"}); }

bool is_clamp(Node* node) {
  const auto activation = ir::as_activation(node);
  return activation && activation->kind->bounds != nullptr && !ir::writes_in_place(node);
}

bool is_split(Node* node) { return ir::is_operator(node, {"aten::chunk", "aten::split", "aten::split_with_sizes"}); }

bool is_element(Node* node) { return ir::is_operator(node, {"aten::__getitem__"}) && ir::is_tensor(node->output()); }

bool gives_one_tensor(const Node* node) { return node->outputs().size() == 1 && ir::is_tensor(node->output()); }

Reason mean_has_a_dtype(Node* node, const ir::Program&) {
  return ir::is_none(ir::argument(node, "dtype")) ? Reason() : Reason(ReasonCode::converts_dtype);
}

Reason gives_several_tensors(Node* node, const ir::Program&) {
  return gives_one_tensor(node) ? Reason() : Reason(ReasonCode::several_outputs);
}

/// Levels of zero stand for zero; other values would have to be on the grid.
Reason pads_with_another_value(Node* node, const ir::Program&) {
  if (!ir::is_operator(node, {"aten::constant_pad_nd"})) return {};
  return ir::constant_number(ir::argument(node, "value")) == 0.0 ? Reason() : Reason(ReasonCode::pads_with_value);
}

Reason is_no_plain_clamp(Node* node, const ir::Program&) {
  return usable_clamp(node) ? Reason() : Reason(ReasonCode::bounds_unusable);
}

/// A list that goes elsewhere would have to be made anew in float.
Reason parts_are_not_picked_one_by_one(Node* node, const ir::Program&) {
  for (const torch::jit::Use& use : node->output()->uses())
    if (!is_element(use.user)) return ReasonCode::used_as_list;
  return {};
}

std::vector<std::int64_t> batched(Node* node, const ir::Program&) {
  const auto pool = ir::as_pool(node);
  return {(pool ? pool->spatial : ir::as_upsample(node)->spatial) + 2};
}

Value* emit_clamp(const Step& step, Emitter& emitter) {
  const ir::Interval clamp = *usable_clamp(step.front());
  if (clamp.low == 0 && std::isinf(clamp.high))
    return emitter.insert(step, "aten::relu", {emitter.int8(step.inputs[0])});
  return emitter.ending_with(clamp, step, emitter.int8(step.inputs[0]));
}

/// Cuts off channels that are there for speed alone.
Value* emit_pool(const Step& step, Emitter& emitter) {
  Value* result = emit_itself(step, emitter);
  const auto channels = emitter.channels_of_widened(step.inputs[0]);
  return channels ? in_channels_last(emitter.insert(step, "aten::slice", {result, 1, 0, *channels, 1}), step) : result;
}

/// The mean of each picture as a pool, which is more than twice as fast.
Value* emit_mean(const Step& step, Emitter& emitter) {
  const auto dims = ir::constant_ints(ir::argument(step.front(), "dim"));
  const auto keeps = ir::constant_bool(ir::argument(step.front(), "keepdim"));
  const bool is_of_pictures =
      dims && (*dims == std::vector<std::int64_t>{2, 3} || *dims == std::vector<std::int64_t>{-2, -1} ||
               *dims == std::vector<std::int64_t>{-1, -2});
  if (!is_of_pictures || !keeps || emitter.rank_of(step.inputs[0]) != 4) return emit_itself(step, emitter);
  Value* mean = emitter.insert(step, "aten::adaptive_avg_pool2d",
                               {emitter.int8(step.inputs[0]), std::vector<std::int64_t>{1, 1}});
  return *keeps ? mean : emitter.insert(step, "aten::flatten", {mean, 1, -1});
}

Conversion same_scale(std::string_view name, bool (*matches)(Node*), Reason (*why_not)(Node*, const ir::Program&)) {
  return {.name = name,
          .summary = "the same levels, moved, picked or averaged",
          .matches = matches,
          .why_not = why_not,
          .inputs = first_input,
          .emit = emit_itself,
          .scale = OutputScale::of_input,
          .precondition = Precondition::every_input};
}

}  // namespace

std::int64_t width_for_pool(const Step& step, std::int64_t channels, const Emitter& emitter) {
  Node* reader = emitter.int8_reader(step);
  if (!emitter.is_for_x86() || reader == nullptr || emitter.rank_of(step.output) != 4) return channels;
  const auto pool = ir::as_pool(reader);
  const std::int64_t left_over = channels % kMaximaAtOnce;
  return pool && pool->is_max && 2 * left_over > channels ? channels - left_over + kMaximaAtOnce : channels;
}

std::vector<Conversion> same_scale() {
  Conversion pool = same_scale("pooling", is_pool, nothing_against);
  pool.ranks = batched;
  pool.emit = emit_pool;
  Conversion nearest = same_scale("interpolation", is_nearest, nothing_against);
  nearest.ranks = batched;
  Conversion bilinear = same_scale("interpolation", is_bilinear, nothing_against);
  bilinear.ranks = batched;
  bilinear.slower_from = 1024;
  Conversion clamp = same_scale("clamp", is_clamp, is_no_plain_clamp);
  clamp.emit = emit_clamp;
  Conversion slow_layout = same_scale("layout", copies_slowly, pads_with_another_value);
  slow_layout.slower_from = 2048;
  Conversion mean = same_scale("mean", is_mean, mean_has_a_dtype);
  mean.emit = emit_mean;
  return {same_scale("layout", is_layout_operator, gives_several_tensors),
          slow_layout,
          pool,
          mean,
          nearest,
          bilinear,
          clamp,
          same_scale("split", is_split, parts_are_not_picked_one_by_one),
          same_scale("element", is_element, nothing_against)};
}

}  // namespace fusekit::quantize
