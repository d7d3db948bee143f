// conv1d/2d/3d (+ ReLU or a clamp) -> quantized::conv{1,2,3}d[_relu]; conv_transpose likewise. Weights are per channel
// along the output channels; a transposed convolution's int8 operator takes them per tensor only.
#include "ir/operators.h"
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

/// Of a convolution whose weight is constant and whose settings are known.
ir::Geometry geometry_of(Node* node, const ir::Program& program) {
  const ir::Convolution convolution = *ir::as_convolution(node);
  return *ir::geometry_of(convolution, *ir::constant_tensor(program, convolution.weight));
}

Reason why_not_convolution(Node* node, const ir::Program& program) {
  const ir::Convolution convolution = *ir::as_convolution(node);
  const auto weight = ir::constant_tensor(program, convolution.weight);
  if (!weight) return ReasonCode::weight_computed;
  if (weight->scalar_type() != at::kFloat) return ReasonCode::weight_not_float32;
  if (!ir::is_none(convolution.bias) && !ir::constant_tensor(program, convolution.bias))
    return ReasonCode::bias_computed;
  const auto geometry = ir::geometry_of(convolution, *weight);
  if (!geometry || geometry->padding != geometry->padding_end) return ReasonCode::geometry_unknown;
  for (std::size_t i = 0; i < geometry->spatial(); ++i)
    if (geometry->output_padding[i] > geometry->padding[i]) return ReasonCode::large_output_padding;
  return {};
}

/// LibTorch 2.13's onednn and x86 swap the sides of the weight (and give wrong numbers) where that can be seen.
Reason why_not_transposed(Node* node, const ir::Program& program) {
  if (Reason reason = why_not_convolution(node, program)) return reason;
  const ir::Convolution convolution = *ir::as_convolution(node);
  const at::Tensor weight = *ir::constant_tensor(program, convolution.weight);
  const std::int64_t in = weight.size(0) / convolution.groups;
  const std::int64_t out = weight.size(1);
  if (in == out || in == 1 || out == 1) return {};
  return {ReasonCode::transposed_channels, in, out};
}

std::vector<Value*> convolution_inputs(Node* node) { return {ir::as_convolution(node)->input}; }

std::vector<std::int64_t> convolution_ranks(Node* node, const ir::Program& program) {
  return {static_cast<std::int64_t>(geometry_of(node, program).spatial()) + 2};
}

std::vector<c10::IValue> prepack_settings(const ir::Convolution& convolution, const ir::Geometry& geometry) {
  std::vector<c10::IValue> values{geometry.stride, geometry.padding};
  if (convolution.transposed) values.emplace_back(geometry.output_padding);
  values.emplace_back(geometry.dilation);
  values.emplace_back(convolution.groups);
  return values;
}

/// The engine onednn takes no output padding. That is: less is cut off the end than off the beginning. So as little is
/// cut off both, and the rest off the beginning afterwards.
ir::Geometry without_output_padding(ir::Geometry geometry) {
  for (std::size_t i = 0; i < geometry.spatial(); ++i)
    geometry.padding[i] -= std::exchange(geometry.output_padding[i], 0);
  return geometry;
}

Value* cut_off_beginnings(Value* output, const ir::Geometry& geometry, const Step& step, Emitter& emitter) {
  for (std::size_t i = 0; i < geometry.spatial(); ++i)
    if (const std::int64_t cut = geometry.output_padding[i]; cut > 0)
      output = emitter.insert(step, "aten::slice", {output, static_cast<std::int64_t>(i) + 2, cut, c10::IValue(), 1});
  return output;
}

Value* emit_convolution(const Step& step, Emitter& emitter) {
  const ir::Convolution convolution = *ir::as_convolution(step.front());
  const ir::Geometry geometry = geometry_of(step.front(), emitter.program());
  const std::string name =
      fmt::format("quantized::conv{}{}d", convolution.transposed ? "_transpose" : "", geometry.spatial());
  const auto axis = convolution.transposed ? std::nullopt : std::optional<std::int64_t>(0);
  Value* packed = emitter.packed_weights(step, convolution.weight, convolution.bias, axis, (name + "_prepack").c_str(),
                                         prepack_settings(convolution, without_output_padding(geometry)));
  const bool relu = ends_in_relu(step) && !convolution.transposed;  // transposed: levels end at zero, which is the same
  Value* output = emitter.insert(step, (name + (relu ? "_relu" : "")).c_str(),
                                 with_qparams({emitter.int8(step.inputs[0]), packed}, emitter.output_qparams(step)));
  return cut_off_beginnings(output, geometry, step, emitter);
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
          .why_not = why_not_transposed,
          .inputs = convolution_inputs,
          .emit = emit_convolution,
          .role = Role::layer,
          .absorbs_clamp = true,
          .ranks = convolution_ranks};
}

}  // namespace fusekit::quantize
