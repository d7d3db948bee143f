#include <cmath>

#include "rewrite/affine.h"
#include "rewrite/fold.h"
#include "rewrite/match.h"

namespace fusekit::rewrite {
namespace {

bool is_plain(const at::Tensor& tensor) {
  return tensor.layout() == at::kStrided && tensor.device().is_cpu() && !tensor.is_quantized() &&
         at::isFloatingType(tensor.scalar_type());
}

/// Why a value is not a constant tensor that a fold can use.
WhyNot not_constant(const Value* value, const std::string& what, const Context& context) {
  const auto tensor = ir::constant_tensor(context.program, value);
  if (tensor) {
    if (!is_plain(*tensor)) return fmt::format("its {} is not a dense floating-point tensor", what);
    return std::nullopt;
  }
  const Node* node = value->node();
  if (node->kind() == c10::prim::GetAttr)
    return fmt::format("its {} {} is written by a method", what, node->s(c10::attr::name));
  if (node->kind() == c10::prim::Param) return fmt::format("its {} is an input", what);
  return fmt::format("its {} is computed by {}", what, node->kind().toQualString());
}

WhyNot not_constant_or_none(const Value* value, const std::string& what, const Context& context) {
  return ir::is_none(value) ? std::nullopt : not_constant(value, what, context);
}

WhyNot other_sizes(const Affine& affine, const BatchNorm& bn, const Context& context) {
  const auto size = [&](const Value* value) { return ir::constant_tensor(context.program, value)->numel(); };
  const at::Tensor weight = *ir::constant_tensor(context.program, affine.weight);
  if (weight.dim() < 2) return "its weight has fewer than two dimensions";
  const std::int64_t channels = output_channels(weight, affine);
  for (const Value* value : {bn.mean, bn.var, bn.gamma, bn.beta, affine.bias})
    if (!ir::is_none(value) && size(value) != channels)
      return fmt::format("it has {} output channels and the BatchNorm {}", channels, size(value));
  return std::nullopt;
}

}  // namespace

WhyNot batch_norm_is_not_constant(Node* node, const Context& context) {
  const BatchNorm bn = *as_batch_norm(node);
  if (ir::is_none(bn.mean) || ir::is_none(bn.var)) return "its BatchNorm has no running statistics";
  if (!bn.training) return "whether its BatchNorm uses batch statistics is decided at run time";
  if (*bn.training) return "its BatchNorm uses batch statistics (it was saved in training mode)";
  if (!bn.eps) return "the BatchNorm's eps is computed";
  const WhyNot reason = first_of({not_constant(bn.mean, "BatchNorm's running mean", context),
                                  not_constant(bn.var, "BatchNorm's running variance", context),
                                  not_constant_or_none(bn.gamma, "BatchNorm's weight", context),
                                  not_constant_or_none(bn.beta, "BatchNorm's bias", context)});
  if (reason) return reason;
  const at::Tensor var = ir::constant_tensor(context.program, bn.var)->to(at::kDouble) + *bn.eps;
  if (!at::logical_and(var > 0, at::isfinite(var)).all().item<bool>())
    return "the BatchNorm's var + eps is not positive and finite";
  return std::nullopt;
}

WhyNot weight_is_not_constant(Node* node, const Context& context) {
  const Affine affine = affine_of(node);
  return first_of({not_constant(affine.weight, "weight", context), not_constant_or_none(affine.bias, "bias", context)});
}

WhyNot weight_cannot_take(Node* node, Node* batch_norm, Context& context) {
  context.folded.reset();
  const Affine affine = affine_of(node);
  const BatchNorm bn = *as_batch_norm(batch_norm);
  if (const WhyNot sizes = other_sizes(affine, bn, context)) return sizes;
  Folded folded = fold(affine, bn, context.program);
  // A NaN or an infinity anywhere shows in the extremes, in one pass.
  const auto finite = [](const at::Tensor& tensor) {
    const bool half = tensor.scalar_type() == at::kHalf;  // LibTorch 1.13 has no aminmax of it
    const auto [low, high] = at::aminmax(half ? tensor.to(at::kFloat) : tensor);
    return std::isfinite(low.item<double>()) && std::isfinite(high.item<double>());
  };
  if (!finite(folded.weight) || !finite(folded.bias))
    return fmt::format("the folded weights leave the finite range of {}", c10::toString(folded.weight.scalar_type()));
  context.folded = std::move(folded);
  return std::nullopt;
}

WhyNot convolution_is_not_batched(Node* node, Node* batch_norm, Context& context) {
  const auto rank = rank_between(node, batch_norm, context);
  if (!rank || *rank == expected_rank(node, context)) return std::nullopt;
  return fmt::format("its data has {} dimensions, no batch among them", *rank);
}

WhyNot linear_is_not_two_dimensional(Node* node, Node* batch_norm, Context& context) {
  const auto rank = rank_between(node, batch_norm, context);
  if (rank == 2) return std::nullopt;
  if (rank) return fmt::format("its data has {} dimensions: BatchNorm normalizes dimension 1, not the features", *rank);
  const auto promised = context.promised_rank(data_input(batch_norm), batch_norm);
  if (promised == 2) return std::nullopt;
  if (promised) return fmt::format("its data has {} dimensions by the inputs that were given", *promised);
  return "its data is not known to have two dimensions (InputOptions::dims tells)";
}

WhyNot convolution_cannot_take_batch_norm(const Site& site, Context& context) {
  Node* convolution = site.nodes[0];
  Node* batch_norm = site.nodes[1];
  if (const WhyNot reason = stands_in_several_blocks(site)) return reason;
  if (const WhyNot reason = something_else_reads(site, 0)) return reason;
  if (const WhyNot reason = batch_norm_is_not_constant(batch_norm, context)) return reason;
  if (const WhyNot reason = weight_is_not_constant(convolution, context)) return reason;
  if (const WhyNot reason = convolution_is_not_batched(convolution, batch_norm, context)) return reason;
  return weight_cannot_take(convolution, batch_norm, context);
}

WhyNot relu_cannot_work_in_place(const Site& site, Context&) {
  if (const WhyNot reason = stands_in_several_blocks(site)) return reason;
  return something_else_reads(site, site.nodes.size() - 2);
}

}  // namespace fusekit::rewrite
