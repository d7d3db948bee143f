// conv1d/2d/3d (+ ReLU or a clamp) -> quantized::conv{1,2,3}d[_relu]; conv_transpose likewise. Weights are per channel
// along the output channels; a transposed convolution's int8 operator takes them per tensor only.
#include "quantize/lower/operators/all.h"
#include "rewrite/operators.h"

namespace fusekit::quantize {
namespace {

bool is_any_convolution(const Node* node) {
  return is_operator(
      node, {"aten::conv1d", "aten::conv2d", "aten::conv3d", "aten::_convolution", "aten::convolution",
             "aten::_convolution_mode", "aten::conv_transpose1d", "aten::conv_transpose2d", "aten::conv_transpose3d"});
}

bool is_plain(const Node* node) {
  return is_any_convolution(node) && !rewrite::is_transposed_convolution(const_cast<Node*>(node));
}

bool is_transposed(const Node* node) { return rewrite::is_transposed_convolution(const_cast<Node*>(node)); }

ConvolutionSettings settings_of(Node* node, const ir::Program& program) {
  std::string why;
  return *convolution_settings(node, program, why);
}

WhyNot why_not_convolution(Node* node, const ir::Program& program) {
  std::string why;
  const auto settings = convolution_settings(node, program, why);
  if (!settings) return why;
  for (std::size_t i = 0; i < settings->spatial; ++i)
    if (settings->output_padding[i] > settings->padding[i]) return "its output padding is larger than its padding";
  return std::nullopt;
}

/// LibTorch 2.13's onednn and x86 swap the sides of the weight (and give wrong numbers) where that can be seen.
WhyNot why_not_transposed(Node* node, const ir::Program& program) {
  if (WhyNot reason = why_not_convolution(node, program)) return reason;
  const ConvolutionSettings settings = settings_of(node, program);
  const at::Tensor weight = *ir::constant_tensor(program, settings.weight);
  const std::int64_t in = weight.size(0) / settings.groups;
  const std::int64_t out = weight.size(1);
  if (in == out || in == 1 || out == 1) return std::nullopt;
  return fmt::format("LibTorch computes it wrongly with {} input and {} output channels in a group", in, out);
}

std::vector<Value*> convolution_inputs(Node* node) { return {node->namedInput("input")}; }

std::vector<std::int64_t> convolution_ranks(Node* node, const ir::Program& program) {
  return {static_cast<std::int64_t>(settings_of(node, program).spatial) + 2};
}

std::vector<c10::IValue> prepack_settings(const ConvolutionSettings& settings) {
  std::vector<c10::IValue> values{settings.stride, settings.padding};
  if (settings.transposed) values.emplace_back(settings.output_padding);
  values.emplace_back(settings.dilation);
  values.emplace_back(settings.groups);
  return values;
}

/// The engine onednn takes no output padding. That is: less is cut off the end than off the beginning. So as little is
/// cut off both, and the rest off the beginning afterwards.
ConvolutionSettings without_output_padding(ConvolutionSettings settings) {
  for (std::size_t i = 0; i < settings.spatial; ++i)
    settings.padding[i] -= std::exchange(settings.output_padding[i], 0);
  return settings;
}

Value* cut_off_beginnings(Value* output, const ConvolutionSettings& settings, const Step& step, Emitter& emitter) {
  for (std::size_t i = 0; i < settings.spatial; ++i)
    if (const std::int64_t cut = settings.output_padding[i]; cut > 0)
      output = emitter.insert(step, "aten::slice", {output, static_cast<std::int64_t>(i) + 2, cut, c10::IValue(), 1});
  return output;
}

Value* emit_convolution(const Step& step, Emitter& emitter) {
  const ConvolutionSettings settings = settings_of(step.front(), emitter.program());
  const std::string name =
      fmt::format("quantized::conv{}{}d", settings.transposed ? "_transpose" : "", settings.spatial);
  const auto axis = settings.transposed ? std::nullopt : std::optional<std::int64_t>(0);
  Value* packed = emitter.packed_weights(step, settings.weight, settings.bias, axis, (name + "_prepack").c_str(),
                                         prepack_settings(without_output_padding(settings)));
  const bool relu = ends_in_relu(step) && !settings.transposed;  // transposed: levels end at zero, which is the same
  Value* output = emitter.insert(step, (name + (relu ? "_relu" : "")).c_str(),
                                 with_qparams({emitter.int8(step.inputs[0]), packed}, emitter.output_qparams(step)));
  return cut_off_beginnings(output, settings, step, emitter);
}

}  // namespace

Conversion convolution() {
  return {.name = "convolution",
          .summary = "conv1d/2d/3d, with the ReLU or clamp behind it",
          .matches = is_plain,
          .why_not = why_not_convolution,
          .inputs = convolution_inputs,
          .emit = emit_convolution,
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
          .absorbs_clamp = true,
          .ranks = convolution_ranks};
}

}  // namespace fusekit::quantize
