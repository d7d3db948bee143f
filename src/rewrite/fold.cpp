#include "rewrite/fold.h"

#include <utility>

#include "ir/flatten.h"
#include "rewrite/affine.h"

namespace fusekit::rewrite {
namespace {

/// One name for what is folded, so that a fold at two places makes one pair of tensors.
std::string fold_key(const Affine& affine, const BatchNorm& bn) {
  std::string key = fmt::format("{}|{}|{}", affine.groups, affine.transposed, *bn.eps);
  for (const Value* value : {affine.weight, affine.bias, bn.mean, bn.var, bn.gamma, bn.beta}) {
    const auto name = ir::weight_key(value);
    if (!name && !ir::is_none(value)) return "";
    key += "|" + name.value_or("None");
  }
  return key;
}

/// The module in which the folded tensors live, "" with no name for anonymous weights.
std::string sibling(const ir::Weight* weight, const std::string& name) {
  const auto dot = weight->path.rfind('.');
  return dot == std::string::npos ? name : ir::join_path(weight->path.substr(0, dot), name);
}

std::size_t argument_index(const Node* node, const std::string& name) {
  return static_cast<std::size_t>(*node->schema().argumentIndexWithName(name));
}

struct NewWeights {
  Value* weight = nullptr;
  Value* bias = nullptr;
};

NewWeights add_folded(Node* node, const Affine& affine, const BatchNorm& bn, Context& context) {
  ir::Program& program = context.program;
  const std::string key = fold_key(affine, bn);
  if (const auto known = program.folds.find(key); !key.empty() && known != program.folds.end())
    return {ir::insert_weight(program, node, known->second.first),
            ir::insert_weight(program, node, known->second.second)};
  const Folded folded = context.folded ? *std::exchange(context.folded, {}) : fold(affine, bn, program);
  const ir::Weight* weight = ir::weight_of(program, affine.weight);
  const ir::Weight* bias = ir::weight_of(program, affine.bias);
  const std::string weight_path = weight != nullptr ? weight->path : "";
  const std::string bias_path = bias != nullptr ? bias->path : weight != nullptr ? sibling(weight, "bias") : "";
  const NewWeights added{ir::add_weight(program, node, weight_path, folded.weight, weight),
                         ir::add_weight(program, node, bias_path, folded.bias, bias != nullptr ? bias : weight)};
  if (!key.empty()) program.folds[key] = {*ir::weight_key(added.weight), *ir::weight_key(added.bias)};
  return added;
}

/// The same operator on other weights.
Node* with_weights(Node* node, const NewWeights& weights, Context& context) {
  const auto linear = as_linear(node);
  const bool is_addmm = linear && linear->is_addmm;
  const torch::jit::WithInsertPoint guard(node);
  Value* weight = is_addmm ? context.graph.insert(c10::aten::t, {weights.weight}) : weights.weight;
  node->replaceInput(argument_index(node, is_addmm ? "mat2" : "weight"), weight);
  node->replaceInput(argument_index(node, is_addmm ? "self" : "bias"), weights.bias);
  return node;
}

/// The operator that computes the same on batched data and raises on any other: aten::_convolution (with string padding
/// aten::_convolution_mode) for a convolution, aten::addmm for a linear.
Node* strict_with_weights(Node* node, const NewWeights& weights, Context& context) {
  torch::jit::Graph& graph = context.graph;
  const torch::jit::WithInsertPoint guard(node);
  Value* output = nullptr;
  if (const auto linear = as_linear(node)) {
    output =
        graph.insert(c10::aten::addmm, {weights.bias, linear->input, graph.insert(c10::aten::t, {weights.weight})});
  } else {
    const auto argument = [&](const char* name) { return torch::jit::NamedValue(node->namedInput(name)); };
    const Convolution convolution = *as_convolution(node);
    const bool named_padding = node->namedInput("padding")->type()->isSubtypeOf(*c10::StringType::get());
    if (named_padding) {
      output = graph.insert(c10::Symbol::aten("_convolution_mode"),
                            {convolution.input, weights.weight, weights.bias, argument("stride"), argument("padding"),
                             argument("dilation"), convolution.groups});
    } else {
      const std::vector<std::int64_t> no_padding(static_cast<std::size_t>(expected_rank(node, context) - 2), 0);
      const torch::jit::NamedValue output_padding =
          convolution.transposed ? argument("output_padding") : torch::jit::NamedValue(no_padding);
      output =
          graph.insert(c10::aten::_convolution, {convolution.input, weights.weight, weights.bias, argument("stride"),
                                                 argument("padding"), argument("dilation"), convolution.transposed,
                                                 output_padding, convolution.groups, /*benchmark=*/false,
                                                 /*deterministic=*/false, /*cudnn_enabled=*/true, /*allow_tf32=*/true});
    }
  }
  output->node()->copyMetadata(node);
  output->node()->setScope(node->scope());
  return output->node();
}

}  // namespace

Node* fold_batch_norm(const Site& site, Context& context) {
  Node* node = site.nodes.at(0);
  Node* batch_norm = site.nodes.at(1);
  const bool proven = rank_between(node, batch_norm, context).has_value();
  const NewWeights added = add_folded(node, affine_of(node), *as_batch_norm(batch_norm), context);
  Node* folded = proven ? with_weights(node, added, context) : strict_with_weights(node, added, context);
  if (!proven) context.learn_rank(node->output(), expected_rank(folded, context), folded);
  batch_norm->output()->replaceAllUsesWith(folded->output());
  batch_norm->destroy();
  if (folded != node) {
    node->output()->replaceAllUsesWith(folded->output());
    node->destroy();
    context.note = fmt::format("it now insists on {}-D data", expected_rank(folded, context));
  }
  return folded;
}

bool group_with_relu(const Site& site, std::string_view rule, Context& context) {
  Node* activation = site.back();
  std::vector<Node*> group(site.nodes.begin(), site.nodes.end());
  const bool changes = activation->kind() == c10::aten::relu;
  if (changes) {
    const torch::jit::WithInsertPoint guard(activation);
    Node* in_place = context.graph.insertNode(
        context.graph.create(c10::Symbol::fromQualString("aten::relu_"), {activation->input()}));
    in_place->copyMetadata(activation);
    activation->output()->replaceAllUsesWith(in_place->output());
    activation->destroy();
    group.back() = in_place;
  }
  context.program.groups.push_back({std::string(rule), std::move(group)});
  return changes;
}

}  // namespace fusekit::rewrite
