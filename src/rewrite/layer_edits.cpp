#include "rewrite/layer_edits.h"

#include "ir/marks.h"

namespace fusekit::rewrite {
namespace {

using torch::jit::NamedValue;

std::size_t argument_index(const Node* node, const std::string& name) {
  return static_cast<std::size_t>(*node->schema().argumentIndexWithName(name));
}

/// The result stands for `node`: its place in the module tree and its group.
Node* in_place_of(Node* node, Value* output) {
  output->node()->copyMetadata(node);
  ir::copy_group(node, output->node());
  return output->node();
}

/// aten::_convolution with everything but these as `convolution` has it.
Value* insert_strict(const ir::Convolution& convolution, Value* input, const LayerWeights& weights,
                     const NamedValue& padding, std::size_t spatial) {
  torch::jit::Graph& graph = *convolution.node->owningGraph();
  Value* output_padding = ir::argument(convolution.node, "output_padding");
  const NamedValue pads_output =
      output_padding != nullptr ? NamedValue(output_padding) : NamedValue(std::vector<std::int64_t>(spatial, 0));
  return graph.insert(c10::aten::_convolution,
                      {input, weights.weight, weights.bias, ir::argument(convolution.node, "stride"), padding,
                       ir::argument(convolution.node, "dilation"), convolution.transposed, pads_output,
                       convolution.groups, /*benchmark=*/false, /*deterministic=*/false, /*cudnn_enabled=*/true,
                       /*allow_tf32=*/true});
}

}  // namespace

Node* with_weights(Node* layer, const LayerWeights& weights) {
  const auto linear = ir::as_linear(layer);
  const bool is_addmm = linear && linear->is_addmm;
  const torch::jit::WithInsertPoint guard(layer);
  Value* weight = is_addmm ? layer->owningGraph()->insert(c10::aten::t, {weights.weight}) : weights.weight;
  layer->replaceInput(argument_index(layer, is_addmm ? "mat2" : "weight"), weight);
  layer->replaceInput(argument_index(layer, is_addmm ? "self" : "bias"), weights.bias);
  return layer;
}

Node* strict_with_weights(Node* layer, const LayerWeights& weights, std::int64_t rank) {
  torch::jit::Graph& graph = *layer->owningGraph();
  const torch::jit::WithInsertPoint guard(layer);
  if (const auto linear = ir::as_linear(layer)) {
    Value* transposed = graph.insert(c10::aten::t, {weights.weight});
    return in_place_of(layer, graph.insert(c10::aten::addmm, {weights.bias, linear->input, transposed}));
  }
  const ir::Convolution convolution = *ir::as_convolution(layer);
  Value* padding = ir::argument(layer, "padding");
  if (!padding->type()->isSubtypeOf(*c10::StringType::get()))
    return in_place_of(
        layer, insert_strict(convolution, convolution.input, weights, padding, static_cast<std::size_t>(rank) - 2));
  return in_place_of(
      layer, graph.insert(c10::Symbol::aten("_convolution_mode"),
                          {convolution.input, weights.weight, weights.bias, ir::argument(layer, "stride"), padding,
                           ir::argument(layer, "dilation"), convolution.groups}));
}

Node* with_padding(Node* convolution, Value* input, const std::vector<std::int64_t>& padding) {
  torch::jit::Graph& graph = *convolution->owningGraph();
  const torch::jit::WithInsertPoint guard(convolution);
  const ir::Convolution view = *ir::as_convolution(convolution);
  if (view.checks_rank)
    return in_place_of(convolution, insert_strict(view, input, {view.weight, view.bias}, padding, padding.size()));
  return in_place_of(convolution, graph.insert(convolution->kind(),
                                               {input, view.weight, view.bias, ir::argument(convolution, "stride"),
                                                padding, ir::argument(convolution, "dilation"), view.groups}));
}

}  // namespace fusekit::rewrite
