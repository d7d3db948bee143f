#include "rewrite/fold.h"
#include "rewrite/layer_edits.h"
#include "rewrite/match.h"
#include "rewrite/rules.h"

// p = constant_pad_nd(x, counts, 0)     as many zeros in front as behind, in spatial dimensions
// y = convolution(p, W, b)
// ->
// y = convolution(x, W, b)              its padding larger by the counts

namespace fusekit::rewrite {
namespace {

using Padding = std::vector<std::int64_t>;

/// An infinite weight makes a NaN of a zero that is there, and nothing of one that is only meant.
Reason weight_is_not_finite(const at::Tensor& weight) {
  return at::isfinite(weight).all().item<bool>() ? Reason() : Reason(ReasonCode::not_finite, "weight");
}

/// The padding that does for both, or why there is none.
std::variant<Reason, Padding> joint_padding(const ir::Pad& pad, const ir::Geometry& geometry) {
  if (pad.value != 0) return Reason(ReasonCode::pads_with_value);
  Padding joint = geometry.padding;
  if (geometry.padding != geometry.padding_end) return Reason(ReasonCode::pads_one_side);
  for (std::size_t i = 0; i < pad.before.size(); ++i) {
    const std::int64_t before = pad.before[i];
    const std::int64_t after = pad.after[i];
    const bool is_spatial = i < geometry.spatial();
    if (before < 0 || after < 0 || (!is_spatial && before + after > 0))
      return Reason(ReasonCode::pads_other_dimensions);
    if (before != after) return Reason(ReasonCode::pads_one_side);
    if (is_spatial) joint[geometry.spatial() - 1 - i] += before;
  }
  return joint;
}

Decision decide_pad_conv(const Site& site, Facts& facts) {
  const ir::Pad pad = *ir::as_pad(site.front());
  const ir::Convolution convolution = *ir::as_convolution(site.back());
  if (Reason reason = stands_in_several_blocks(site)) return reason;
  if (Reason reason = not_constant(convolution.weight, "weight", facts)) return reason;
  const at::Tensor weight = *ir::constant_tensor(facts.program, convolution.weight);
  const auto geometry = ir::geometry_of(convolution, weight);
  if (!geometry) return Reason(ReasonCode::settings_computed);
  const auto joint = joint_padding(pad, *geometry);
  if (const auto* reason = std::get_if<Reason>(&joint)) return *reason;
  if (Reason reason = weight_is_not_finite(weight)) return reason;
  if (facts.is_written(pad.input)) return Reason(ReasonCode::input_written_in_place);
  if (facts.is_written(pad.node->output())) return Reason(ReasonCode::output_written_in_place);

  return Rewrite{.apply = [node = convolution.node, input = pad.input, padding = std::get<Padding>(joint)](Facts&) {
    Node* padded = with_padding(node, input, padding);
    node->output()->replaceAllUsesWith(padded->output());
    node->destroy();
    return std::vector<Node*>{};
  }};
}

}  // namespace

Rule pad_conv() {
  return {.name = "pad+conv",
          .summary = "Zero padding + Conv{1,2,3}d: the convolution pads by itself, where both sides are padded alike",
          .pattern = {zero_pad(), convolution()},
          .decide = decide_pad_conv,
          .tolerance = 1e-5};
}

}  // namespace fusekit::rewrite
