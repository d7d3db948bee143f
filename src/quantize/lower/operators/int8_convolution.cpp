// conv1d/2d/3d (+ ReLU or a clamp) -> quantized::conv{1,2,3}d[_relu]; conv_transpose likewise. Weights are per channel
// along the output channels; a transposed convolution's int8 operator takes them per tensor only.
#include <algorithm>
#include <utility>

#include "ir/operators.h"
#include "quantize/lower/groups.h"
#include "quantize/lower/operators/int8_operators.h"

namespace fusekit::quantize {
namespace {

bool is_plain(Node* node) {
  const auto convolution = ir::as_convolution(node);
  return convolution && !convolution->transposed;
}

bool is_transposed(Node* node) {
  const auto convolution = ir::as_convolution(node);
  return convolution && convolution->transposed;
}

constexpr std::int64_t kMostFilled = 3;  // times the channels of the smaller side; from there on float is as fast

/// How a convolution is written so that all engines compute it rightly, end, and are fast.
struct Form {
  ir::Geometry geometry;               ///< with the same padding on both sides, and no output padding
  std::vector<std::int64_t> new_taps;  ///< of weight zero, in front of each dimension of the kernel
  std::vector<std::int64_t> cut;       ///< so much comes off the beginning of each dimension of the output
  std::int64_t merged = 1;             ///< so many groups are one
  std::int64_t filled = 0;             ///< a transposed convolution's channels on both sides; 0: as they are
  std::int64_t more_filters = 0;       ///< of weight zero, behind the others
  Reason why_not;
};

/// padding="same" with an even kernel pads the end by one more than the beginning. A tap of weight zero in front evens
/// that out; with dilation it can't, so both sides get the larger padding, and the output's beginning is cut off.
void even_out(Form& form) {
  ir::Geometry& geometry = form.geometry;
  for (std::size_t i = 0; i < geometry.spatial(); ++i) {
    const std::int64_t more = geometry.padding_end[i] - geometry.padding[i];
    (geometry.dilation[i] == 1 ? form.new_taps : form.cut)[i] += more;
    geometry.padding[i] = geometry.padding_end[i];
  }
}

/// The engine onednn takes no output padding. That is: less is cut off the end than off the beginning. So as little is
/// cut off both, and the rest off the beginning afterwards.
void take_out_output_padding(Form& form) {
  ir::Geometry& geometry = form.geometry;
  for (std::size_t i = 0; i < geometry.spatial(); ++i) {
    form.cut[i] += geometry.output_padding[i];
    geometry.padding[i] -= std::exchange(geometry.output_padding[i], 0);
  }
}

at::Tensor with_new_taps(const at::Tensor& weight, const std::vector<std::int64_t>& taps) {
  if (std::all_of(taps.begin(), taps.end(), [](std::int64_t count) { return count == 0; })) return weight;
  std::vector<std::int64_t> pad;
  for (auto count = taps.rbegin(); count != taps.rend(); ++count) pad.insert(pad.end(), {*count, 0});
  return at::constant_pad_nd(weight, pad);
}

/// LibTorch 2.13's onednn and x86 swap the sides of a transposed convolution's weight, and give wrong numbers where that
/// can be seen. So both sides get as many channels: the input's are repeated and meet weights of zero, the output's are
/// cut off again.
void fill_sides(Form& form, const ir::Convolution& convolution, const at::Tensor& weight) {
  const std::int64_t in = weight.size(0) / convolution.groups;
  const std::int64_t out = weight.size(1);
  if (in == out || in == 1 || out == 1) return;
  form.filled = in > out ? in : (out + in - 1) / in * in;
  if (convolution.groups > 1) {
    form.why_not = {ReasonCode::transposed_channels, in, out};
  } else if (std::max(in, out) > kMostFilled * std::min(in, out)) {
    form.why_not = {ReasonCode::transposed_uneven, in, out, form.filled};
  }
}

/// fbgemm's direct kernel for 2 x N windows that do not overlap, of multiples of 8 channels, gives wrong numbers. With a
/// row of zeros in front of the kernel it is another kernel's, and the output's first row is cut off.
void avoid_direct_kernel(Form& form, const ir::Convolution& convolution, const at::Tensor& weight) {
  const ir::Geometry& geometry = form.geometry;
  const std::int64_t in = form.filled > 0 ? form.filled : weight.size(0);
  const std::int64_t out = form.filled > 0 ? form.filled : weight.size(1);
  const auto is_zero = [](std::int64_t padding) { return padding == 0; };
  const bool is_taken = geometry.spatial() == 2 && convolution.groups == 1 && in % 8 == 0 && out % 8 == 0 &&
                        weight.size(2) == 2 && geometry.stride[0] == 2 &&
                        std::ranges::all_of(geometry.padding, is_zero);
  if (!is_taken) return;
  form.new_taps[0] += 1;
  form.cut[0] += 1;
}

/// Of a convolution whose weight is constant; nullopt: its settings are not known.
std::optional<Form> form_of(const ir::Convolution& convolution, const at::Tensor& weight) {
  const auto geometry = ir::geometry_of(convolution, weight);
  if (!geometry) return std::nullopt;
  const std::vector<std::int64_t> zeros(geometry->spatial(), 0);
  Form form{*geometry, zeros, zeros, 1, 0, 0, {}};
  if (convolution.transposed) {
    take_out_output_padding(form);
    fill_sides(form, convolution, weight);
    avoid_direct_kernel(form, convolution, weight);
  } else {
    even_out(form);
  }
  const Grouping grouping = grouping_of(convolution, with_new_taps(weight, form.new_taps), form.geometry);
  form.merged = grouping.merged;
  if (!form.why_not) form.why_not = grouping.why_not;
  return form;
}

Form known_form(Node* node, const ir::Program& program) {
  const ir::Convolution convolution = *ir::as_convolution(node);
  return *form_of(convolution, *ir::constant_tensor(program, convolution.weight));
}

Reason why_not_convolution(Node* node, const ir::Program& program) {
  const ir::Convolution convolution = *ir::as_convolution(node);
  const auto weight = ir::constant_tensor(program, convolution.weight);
  if (!weight) return ReasonCode::weight_computed;
  if (weight->scalar_type() != at::kFloat) return ReasonCode::weight_not_float32;
  if (!ir::is_none(convolution.bias) && !ir::constant_tensor(program, convolution.bias))
    return ReasonCode::bias_computed;
  const auto form = form_of(convolution, *weight);
  if (!form) return ReasonCode::geometry_unknown;
  const auto& padding = form->geometry.padding;
  if (std::any_of(padding.begin(), padding.end(), [](std::int64_t count) { return count < 0; }))
    return ReasonCode::large_output_padding;
  return form->why_not;
}

std::vector<Value*> convolution_inputs(Node* node) { return {ir::as_convolution(node)->input}; }

std::vector<std::int64_t> convolution_ranks(Node* node, const ir::Program& program) {
  return {static_cast<std::int64_t>(known_form(node, program).geometry.spatial()) + 2};
}

/// A qint8 weight with these levels, and the scales of `weight`.
at::Tensor with_levels(const at::Tensor& weight, const at::Tensor& levels) {
  if (weight.qscheme() == at::kPerTensorAffine)
    return at::_make_per_tensor_quantized_tensor(levels, weight.q_scale(), weight.q_zero_point());
  return at::_make_per_channel_quantized_tensor(levels, weight.q_per_channel_scales(),
                                                weight.q_per_channel_zero_points(), weight.q_per_channel_axis());
}

/// The first two dimensions with zeros behind, up to `size`.
at::Tensor filled_up(const at::Tensor& levels, std::int64_t size) {
  std::vector<std::int64_t> pad(2 * levels.dim(), 0);
  pad[pad.size() - 1] = size - levels.size(0);
  pad[pad.size() - 3] = size - levels.size(1);
  return at::constant_pad_nd(levels, pad);
}

LayerWeights with_more_filters(const LayerWeights& plain, std::int64_t more) {
  if (more == 0) return plain;
  std::vector<std::int64_t> pad(2 * plain.weight.dim(), 0);
  pad.back() = more;
  const at::Tensor levels = at::constant_pad_nd(plain.weight.int_repr(), pad);
  const at::Tensor bias = plain.bias.defined() ? at::constant_pad_nd(plain.bias, {0, more}) : plain.bias;
  if (plain.weight.qscheme() == at::kPerTensorAffine) return {with_levels(plain.weight, levels), bias};
  const at::Tensor scales = at::constant_pad_nd(plain.weight.q_per_channel_scales(), {0, more}, 1);
  const at::Tensor zeros = at::constant_pad_nd(plain.weight.q_per_channel_zero_points(), {0, more});
  return {at::_make_per_channel_quantized_tensor(levels, scales, zeros, plain.weight.q_per_channel_axis()), bias};
}

WeightForm weight_form(const Form& form, std::int64_t groups) {
  return [form, groups](const LayerWeights& plain) {
    at::Tensor levels = merge_groups(with_new_taps(plain.weight.int_repr(), form.new_taps), groups, form.merged);
    at::Tensor bias = plain.bias;
    if (form.filled > 0) {
      levels = filled_up(levels, form.filled);
      if (bias.defined()) bias = at::constant_pad_nd(bias, {0, form.filled - bias.size(0)});
    }
    return with_more_filters({with_levels(plain.weight, levels), bias}, form.more_filters);
  };
}

std::vector<c10::IValue> prepack_settings(const ir::Convolution& convolution, const Form& form) {
  const ir::Geometry& geometry = form.geometry;
  std::vector<c10::IValue> values{geometry.stride, geometry.padding};
  if (convolution.transposed) values.emplace_back(geometry.output_padding);
  values.emplace_back(geometry.dilation);
  values.emplace_back(convolution.groups / form.merged);
  return values;
}

/// The input `count` times, one behind the other.
Value* repeated_channels(Value* input, std::int64_t count, const Step& step, Emitter& emitter) {
  if (count <= 1) return input;
  const torch::jit::WithInsertPoint guard(step.front());
  Graph* graph = step.front()->owningGraph();
  const std::vector<Value*> parts(count, input);
  Value* list = graph->insertNode(graph->createList(c10::TensorType::get(), parts))->output();
  return emitter.insert(step, "quantized::cat", {list, 1, c10::IValue(), c10::IValue()});
}

Value* cut_off(Value* output, const Form& form, std::int64_t channels, const Step& step, Emitter& emitter) {
  if (form.filled > channels) output = emitter.insert(step, "aten::slice", {output, 1, 0, channels, 1});
  for (std::size_t i = 0; i < form.cut.size(); ++i)
    if (form.cut[i] > 0)
      output = emitter.insert(step, "aten::slice",
                              {output, static_cast<std::int64_t>(i) + 2, form.cut[i], c10::IValue(), 1});
  return output;
}

Value* emit_convolution(const Step& step, Emitter& emitter) {
  const ir::Convolution convolution = *ir::as_convolution(step.front());
  const at::Tensor weight = *ir::constant_tensor(emitter.program(), convolution.weight);
  Form form = *form_of(convolution, weight);
  if (const std::int64_t filters = weight.size(0); !convolution.transposed && convolution.groups == 1) {
    form.more_filters = width_for_pool(step, filters, emitter) - filters;
    if (form.more_filters > 0) emitter.note_widened(step, filters);
  }
  const std::string name =
      fmt::format("quantized::conv{}{}d", convolution.transposed ? "_transpose" : "", form.geometry.spatial());
  const auto axis = convolution.transposed ? std::nullopt : std::optional<std::int64_t>(0);
  Value* packed = emitter.packed_weights(step, convolution.weight, convolution.bias, axis, (name + "_prepack").c_str(),
                                         prepack_settings(convolution, form), weight_form(form, convolution.groups));
  Value* input = repeated_channels(emitter.int8(step.inputs[0]), form.filled / weight.size(0), step, emitter);
  const bool relu = ends_in_relu(step) && !convolution.transposed;  // transposed: levels end at zero, which is the same
  Value* output = emitter.insert(step, (name + (relu ? "_relu" : "")).c_str(),
                                 with_qparams({input, packed}, emitter.output_qparams(step)));
  return cut_off(output, form, weight.size(1), step, emitter);
}

}  // namespace

Conversion convolution() {
  return {.name = "convolution",
          .summary = "conv1d/2d/3d, with the ReLU or clamp behind it",
          .matches = is_plain,
          .why_not = why_not_convolution,
          .inputs = convolution_inputs,
          .emit = emit_convolution,
          .role = Role::layer,
          .absorbs_clamp = true,
          .ranks = convolution_ranks};
}

Conversion transposed_convolution() {
  return {.name = "transposed convolution",
          .summary = "conv_transpose1d/2d/3d, with the ReLU or clamp behind it",
          .matches = is_transposed,
          .why_not = why_not_convolution,
          .inputs = convolution_inputs,
          .emit = emit_convolution,
          .role = Role::layer,
          .absorbs_clamp = true,
          .ranks = convolution_ranks};
}

}  // namespace fusekit::quantize
