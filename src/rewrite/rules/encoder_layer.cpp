
#include "rewrite/match.h"
#include "rewrite/rules.h"

// y = _transformer_encoder_layer_fwd(x, ...)       x: (N, L, E), without a mask: what traces of
//                                                  torch.nn.TransformerEncoderLayer under no_grad have
// ->
// a = [layer_norm](x);  q, k, v = linear(a), with heads as a dimension of their own
// s = x + linear(scaled_dot_product_attention(q, k, v));  [layer_norm]
// y = s + linear(activation(linear([layer_norm](s))));    [layer_norm]
//
// y, _ = _native_multi_head_attention(x, x, x, ...)  is the attention alone.

namespace fusekit::rewrite {
namespace {

Reason has_mask(const Node* node) {
  return ir::is_none(ir::argument(node, "mask")) ? Reason() : Reason(ReasonCode::masked_attention);
}

/// Both operators also take nested tensors, which only operators of that name make.
Reason may_be_nested(const Graph& graph) {
  for (const Node* node : ir::all_nodes(graph))
    if (std::string_view(node->kind().toUnqualString()).find("nested") != std::string_view::npos)
      return ReasonCode::nested_tensors;
  return {};
}

Reason attends_to_others(const Node* node) {
  const bool self = node->input(0) == node->input(1) && node->input(1) == node->input(2);
  return self ? Reason() : Reason(ReasonCode::attends_to_others);
}

Decision decide_encoder_layer(const Site& site, Facts& facts) {
  if (facts.is_under_autocast(site.front())) return Reason(ReasonCode::under_autocast);
  const auto layer = ir::as_encoder_layer(site.front());
  if (!layer) return Reason(ReasonCode::settings_computed);
  if (Reason reason = first_of({may_be_nested(facts.graph), has_mask(layer->node)})) return reason;
  return Rewrite{.apply = [layer = *layer](Facts&) {
    layer.node->output()->replaceAllUsesWith(ir::write_encoder_layer(layer));
    return std::vector<Node*>{};
  }};
}

Decision decide_self_attention(const Site& site, Facts& facts) {
  Node* node = site.front();
  if (facts.is_under_autocast(node)) return Reason(ReasonCode::under_autocast);
  const auto attention = ir::as_headed_attention(node);
  if (!attention) return Reason(ReasonCode::settings_computed);
  if (Reason reason = first_of({may_be_nested(facts.graph), has_mask(node), attends_to_others(node)})) return reason;
  if (node->outputs()[1]->hasUses()) return Reason(ReasonCode::weights_are_read);
  return Rewrite{.apply = [node, attention = *attention](Facts&) {
    node->outputs()[0]->replaceAllUsesWith(ir::write_self_attention(attention, node->input(0), node));
    return std::vector<Node*>{};
  }};
}

Family operator_called(const char* op) {
  return {op, [op](Node* node) { return ir::is_operator(node, {op}); }};
}

}  // namespace

Rule encoder_layer() {
  return {.name = "encoder_layer",
          .summary = "quantize: TransformerEncoderLayer as one operator: taken apart into linears and attention",
          .pattern = {operator_called("aten::_transformer_encoder_layer_fwd")},
          .decide = decide_encoder_layer,
          .takes_apart = true,
          .tolerance = 1e-5};
}

Rule self_attention() {
  return {.name = "self_attention",
          .summary = "quantize: MultiheadAttention as one operator: taken apart into linears and attention",
          .pattern = {operator_called("aten::_native_multi_head_attention")},
          .decide = decide_self_attention,
          .takes_apart = true,
          .tolerance = 1e-5};
}

}  // namespace fusekit::rewrite
